# `make demo` and `make test` need nothing but Python 3.10 or newer: they make .venv themselves.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Every install goes through the constraints, so that none of them pulls another torch.
INSTALL := $(BIN)/python -m pip install -c constraints.txt

.PHONY: release-check demo test test-slow browser hostile pairs fuzz bench bench-quick lint typecheck docs site venv clean

venv: $(VENV)/.test

$(VENV)/.created:
	$(PYTHON) -m venv --clear $(VENV)
	@touch $@

$(VENV)/.test: $(VENV)/.created pyproject.toml constraints.txt
	$(INSTALL) -e '.[test]'
	@touch $@

$(VENV)/.lint: $(VENV)/.test pyproject.toml constraints.txt
	$(INSTALL) -e '.[test,lint]'
	@touch $@

$(VENV)/.browser: $(VENV)/.test pyproject.toml constraints.txt
	$(INSTALL) -e '.[test,browser]'
	@touch $@

$(VENV)/.docs: $(VENV)/.test pyproject.toml constraints.txt
	$(INSTALL) -e '.[test,docs]'
	@touch $@

# The second audit ends with 1, because that training does not reproduce; any other code is a failure.
demo: $(VENV)/.test
	$(BIN)/reprocheck run examples/digits.py:train --seeds 2
	$(BIN)/reprocheck run examples/gcn.py:train --threads 2; code=$$?; \
		[ $$code -eq 1 ] || { echo "demo: expected exit code 1, got $$code" >&2; exit 1; }
	$(BIN)/reprocheck run examples/wine_mlp.py -- --epochs 10 --seed {seed}

# Four processes on two cores: tests of whole audits wait for other processes most of the time.
PYTEST := $(BIN)/python -m pytest -n 4 --dist loadgroup
test test-slow: export PYTHONDONTWRITEBYTECODE =

test: $(VENV)/.test
	$(PYTEST)

test-slow: $(VENV)/.test
	$(PYTEST) -m slow

# Pages in a real browser: Chromium has to be at hand. Without playwright the second tier leaves these tests out.
browser: $(VENV)/.browser
	$(BIN)/python -m pytest -n 2 -m slow tests/functional/test_browser.py

# All hostile targets, one by one; the second tier has a sample of them.
hostile: $(VENV)/.test
	$(BIN)/python -m tests.hostile

# Trainings with two known causes each: is every cause that is named a true one? The second tier has a sample of them.
pairs: $(VENV)/.test
	$(BIN)/python -m tests.pairs

# Damaged inputs for every reader; the tests have 2,000 of them.
fuzz: $(VENV)/.test
	$(BIN)/python -m tests.fuzz 100000

# Nothing else should be running. Writes docs/benchmarks.*
bench: $(VENV)/.test
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks --write

bench-quick: $(VENV)/.test
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks --quick

lint: $(VENV)/.lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

typecheck: $(VENV)/.lint
	$(BIN)/mypy

docs: $(VENV)/.test
	$(BIN)/python -m reprocheck.diagnosis.rules.explain > docs/rules.md
	$(BIN)/python -m reprocheck.cli.reference docs/usage.md docs/commands/*.md

# The manual as a web site, in site/. A broken link or a page that is not in the navigation is an error.
site: $(VENV)/.docs docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

# sdist and wheel in fresh environments: every Python and every CPU build of PyTorch that is at hand. See ci/release_check.py
release-check:
	$(PYTHON) ci/release_check.py

clean:
	rm -rf $(VENV) site .hypothesis .mypy_cache .pytest_cache .ruff_cache .reprocheck
