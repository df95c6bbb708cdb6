"""The pytest plugin: the fixtures `reprocheck` and `reprocheck_baseline`, and the mark `reproducible` on a training.

A marked test does not run in pytest's own process: it is the target of an audit, in fresh processes, through the same
engine as `reprocheck run`. A difference fails it; what has no verdict is an error, never a pass.
"""

from __future__ import annotations

import inspect
import os
import sys
import sysconfig
import unittest
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from reprocheck.model import Audit, Target

MARKER = "reproducible"
_TAKES = "a test marked reproducible takes seed, tmp_path, and parametrized values that are Python literals"
_HELP = (
    f"{MARKER}(seeds=1, repeats=2, ...): run this test as a training, several times in fresh processes, and fail where "
    "runs of one seed differ; takes the options of `reprocheck run` (plugin reprocheck)"
)
_answer = pytest.StashKey["Audit"]()
_BASELINES = "__reprocheck__"
"""The folder next to a test file in which the fixture `reprocheck_baseline` keeps its files."""
_VERDICT = "reprocheck verdict"
"""The property of a test's report that holds the verdict of each of its audits."""
_LIMITS = "reprocheck"
"""The property of a test's report (also in pytest's own JUnit file) that says what its verdict does not hold for."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options of the plugin on pytest's command line and in its configuration."""
    group = parser.getgroup("reprocheck", "reproducibility of trainings")
    group.addoption(
        "--reprocheck-update",
        action="store_true",
        help="write the baselines of reprocheck_baseline, and of marks that name one, instead of comparing with them",
    )
    group.addoption(
        "--reprocheck-option",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="an option of `reprocheck run` for all audits, before that of a mark; repeatable: seeds=3, explain=False",
    )
    parser.addini(
        "reprocheck_options",
        type="linelist",
        help="options of `reprocheck run` for all audits, NAME=VALUE on each line",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line("markers", _HELP)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """The verdicts of this session, and what they do not hold for."""
    verdicts: Counter[str] = Counter()
    limits = {}
    for reports in terminalreporter.stats.values():
        for report in reports:
            # Each report of a test repeats the properties, and the last one has them all.
            is_last = getattr(report, "when", "") == "teardown"
            for name, text in getattr(report, "user_properties", ()):
                if name == _LIMITS:
                    limits[report.nodeid] = str(text)
                elif name == _VERDICT and is_last:
                    verdicts[str(text)] += 1
    if verdicts:
        counted = ", ".join(f"{number} {verdict.replace('_', ' ')}" for verdict, number in sorted(verdicts.items()))
        terminalreporter.section("reprocheck")
        terminalreporter.write_line(f"{verdicts.total()} audit{'s' * (verdicts.total() > 1)}: {counted}")
    if limits:
        terminalreporter.section("reprocheck: not compared")
        for test, text in limits.items():
            terminalreporter.write_line(f"{test}: {text}")


@pytest.fixture(name="reprocheck")
def _reprocheck(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Audit]:
    """reprocheck.audit, with its evidence in a temporary folder of this test."""
    from reprocheck.api import audit

    folder = tmp_path_factory.mktemp("reprocheck")

    def audit_here(target: Any = None, **options: Any) -> Audit:
        given = {**_of_ini(request.config), **options, **_of_command_line(request.config)}
        answer = audit(target, **{"evidence": folder, **given})
        _remember(request.node, answer)
        return answer

    return audit_here


@pytest.fixture(name="reprocheck_baseline")
def _reprocheck_baseline(request: pytest.FixtureRequest, reprocheck: Callable[..., Audit]) -> Callable[..., Audit]:
    """An audit that is compared with the file kept for this test: fails where results changed or do not reproduce.

    `pytest --reprocheck-update` writes the files, to be committed. A test with several calls names each.
    """
    from reprocheck.api import render
    from reprocheck.errors import UsageError

    update = bool(request.config.getoption("--reprocheck-update"))

    def check(target: Any = None, *, name: str = "", **options: Any) -> Audit:
        file = _baseline_file(request.node, name)
        if not update and not file.exists():
            raise UsageError(f"there is no baseline {_from_here(file)}: run pytest --reprocheck-update, and commit it")
        file.parent.mkdir(exist_ok=True)
        answer = reprocheck(target, **options, baseline=file, update_baseline=update)
        if answer.exit_code != 0:
            pytest.fail(render(answer), pytrace=False)
        return answer

    return check


def _baseline_file(node: Any, name: str) -> Path:
    """Of one test, and of one call in it: parameters are part of a test's name."""
    words = [node.path.stem, *([node.cls.__qualname__] if getattr(node, "cls", None) else []), node.name, name]
    safe = [
        "".join(char if char.isalnum() or char in "._" else "-" for char in word).strip("-") for word in words if word
    ]
    return Path(node.path.parent) / _BASELINES / f"{'-'.join(safe)}.json"


def _of_command_line(config: pytest.Config) -> dict[str, Any]:
    return _options(config.getoption("--reprocheck-option"), "--reprocheck-option")


def _of_ini(config: pytest.Config) -> dict[str, Any]:
    return _options(config.getini("reprocheck_options"), "reprocheck_options")


def _options(texts: Iterable[str], where: str) -> dict[str, Any]:
    """`seeds=3` → {"seeds": 3}. Raises UsageError."""
    from reprocheck.api import refuse_unknown
    from reprocheck.config.checks import Refused, parse_arg
    from reprocheck.errors import UsageError

    try:
        pairs = [parse_arg(text) for text in texts]
    except Refused as error:
        raise UsageError(f"{where} {error.message}", error.hint) from None
    found = {name.replace("-", "_"): value for name, value in pairs}
    refuse_unknown(where, found)
    return found


@pytest.fixture(name="seed")
def _seed(request: pytest.FixtureRequest) -> int | None:
    """The seed of the run, in a test marked reproducible."""
    if request.node.get_closest_marker(MARKER) is None:
        pytest.fail("the fixture `seed` of reprocheck is for tests marked reproducible", pytrace=False)
    return None


# NOTE: in the setup, because pytest calls only what fails there an error; last, so that marks can skip the test first.
@pytest.hookimpl(trylast=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Audit a marked test. Without a verdict it ends here."""
    mark = item.get_closest_marker(MARKER)
    if mark is None:
        return
    from reprocheck.api import render
    from reprocheck.engine.console import disarm, escape
    from reprocheck.errors import Interrupted, ReprocheckError

    try:
        answer = _audit(item, mark)
    except Interrupted:
        raise KeyboardInterrupt from None
    except ReprocheckError as error:
        hint = f"\n  help: {error.hint}" if error.hint else ""
        pytest.fail(disarm(escape(f"reprocheck: {error.message}{hint}", keep_lines=True)), pytrace=False)
    _remember(item, answer)
    if answer.exit_code not in (0, 1):
        pytest.fail(render(answer), pytrace=False)
    item.stash[_answer] = answer


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """In the place of the test itself: what its audit came to."""
    answer = pyfuncitem.stash.get(_answer, None)
    if answer is None:
        return None
    if answer.exit_code != 0:
        from reprocheck.api import render

        pytest.fail(render(answer), pytrace=False)
    return True


def _remember(item: Any, answer: Audit) -> None:
    from reprocheck.compare.verdict import open_questions
    from reprocheck.engine.console import harmless
    from reprocheck.report.headline import headline, qualification

    item.user_properties.append((_VERDICT, answer.verdict.value))
    if qualification(answer):
        lines = [harmless(headline(answer)), *(f"    {harmless(line)}" for line in open_questions(answer))]
        item.user_properties.append((_LIMITS, "\n".join(lines)))


def _audit(item: pytest.Item, mark: pytest.Mark) -> Audit:
    from reprocheck.api import carry_out, order_target, refuse_unknown
    from reprocheck.config.settings import merge
    from reprocheck.engine.progress import SilentProgress
    from reprocheck.errors import UsageError

    if mark.args:
        raise UsageError("@pytest.mark.reproducible takes its options by name, as in seeds=3")
    refuse_unknown("@pytest.mark.reproducible", mark.kwargs)
    if "arg" in mark.kwargs:
        raise UsageError("@pytest.mark.reproducible has no option arg", "use @pytest.mark.parametrize")
    factory: pytest.TempPathFactory = item.config._tmp_path_factory  # type: ignore[attr-defined]
    given = {**_of_ini(item.config), **mark.kwargs, **_of_command_line(item.config)}
    if given.get("baseline") and item.config.getoption("--reprocheck-update"):
        given["update_baseline"] = True
    options = merge({"evidence": factory.mktemp("reprocheck"), **given}, {})
    return carry_out(order_target(_target(item), options), SilentProgress())


def _target(item: pytest.Item) -> Target:
    """The test as the target of an audit: reprocheck.worker.bootstrap.pytest_target calls it in each run."""
    from reprocheck.config.checks import Refused, arguments
    from reprocheck.errors import UsageError
    from reprocheck.model import Target, TargetKind

    function: Any = getattr(item, "obj", None)
    item_class = getattr(item, "cls", None)
    is_case = item_class is not None and issubclass(item_class, unittest.TestCase)
    if not isinstance(item, pytest.Function) or is_case or inspect.iscoroutinefunction(function):
        raise UsageError(
            "only a test function or a method of a plain class can be marked reproducible, "
            "no coroutine, doctest or unittest.TestCase"
        )
    parameters, wanted = _parameters(item, function)
    try:
        literals = dict(arguments(parameters))
    except Refused as error:
        raise UsageError(f"a parametrized value {error.message}", _TAKES) from None
    call = {
        "file": _from_here(item.path),
        "module": item.module.__name__,
        "function": f"{item_class.__qualname__}.{function.__name__}" if item_class else function.__name__,
        "paths": [_from_here(Path(entry)) for entry in sys.path if _is_of_the_project(entry)],
        "parameters": literals,
        "wanted": wanted,
    }
    return Target(
        text=item.nodeid,
        kind=TargetKind.MODULE_FUNCTION,
        path=item.path,
        module="reprocheck.worker.bootstrap.pytest_target",
        function="call",
        arguments=tuple(call.items()),
    )


def _parameters(item: pytest.Function, function: Callable[..., Any]) -> tuple[dict[str, Any], list[str]]:
    """Parametrized values by name, and what each run makes for itself. Raises UsageError for any other fixture."""
    from reprocheck.errors import UsageError

    fixtures = [name for mark in item.iter_markers("usefixtures") for name in mark.args]
    values = item.callspec.params if hasattr(item, "callspec") else {}
    direct = set(_parametrized(item))
    parameters, wanted = {}, []
    for name, parameter in inspect.signature(function).parameters.items():
        if name in direct and name in values:
            parameters[name] = values[name]
        elif name in ("seed", "tmp_path"):
            wanted.append(name)
        elif parameter.default is inspect.Parameter.empty:
            fixtures.append(name)
    if fixtures:
        raise UsageError(f"the fixture {fixtures[0]} cannot reach a run in another process", _TAKES)
    return parameters, wanted


def _parametrized(item: pytest.Function) -> Iterator[str]:
    """Names that @pytest.mark.parametrize gives values to, not those of fixtures that it passes values on to."""
    for mark in item.iter_markers("parametrize"):
        names = mark.kwargs.get("argnames", mark.args[0] if mark.args else ())
        indirect = mark.kwargs.get("indirect", mark.args[2] if len(mark.args) > 2 else False)
        for name in names.split(",") if isinstance(names, str) else names:
            if indirect is False or (indirect is not True and name.strip() not in indirect):
                yield name.strip()


def _from_here(path: Path) -> str:
    """Relative to the current folder when below it: runs may work in a copy of that."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def _is_of_the_project(entry: str) -> bool:
    """Whether an entry of sys.path is none that every Python of this environment has."""
    paths = sysconfig.get_paths()
    installed = tuple(paths[name] + os.sep for name in ("stdlib", "platstdlib", "purelib", "platlib"))
    return os.path.isdir(entry) and not (entry + os.sep).startswith(installed)
