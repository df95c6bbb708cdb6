"""The pure parts of `vary`: which questions are asked, what names mean, what the rows come to."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from reprocheck.cli.app import app
from reprocheck.commands.vary.experiment import in_force
from reprocheck.commands.vary.flags import flags_of
from reprocheck.commands.vary.model import Change, Facts, InForce
from reprocheck.commands.vary.narrow import smallest_sets
from reprocheck.commands.vary.runs import merge
from reprocheck.commands.vary.variations import VARIATIONS, choose
from reprocheck.commands.vary.variations.ranks import with_ranks
from reprocheck.errors import UsageError
from reprocheck.evidence.run import load_evidence
from reprocheck.model import Request, Target, TargetKind
from reprocheck.protocol import count_steps
from reprocheck.protocol.seal import seal
from reprocheck.worker.bootstrap.machine import numpy_features
from tests.support.evidence import make_run
from tests.support.ranks import make_rank


class Asked:
    def __init__(self, *sets: str) -> None:
        self.sets = [set(one) for one in sets]
        self.count = 0

    def __call__(self, some: Sequence[str]) -> bool:
        self.count += 1
        return any(one <= set(some) for one in self.sets)


@pytest.mark.parametrize("which", "abcdefgh")
def test_one_of_eight_is_found_in_few_questions(which: str) -> None:
    asked = Asked(which)
    assert smallest_sets("abcdefgh", asked) == [[which]]
    assert asked.count <= 5  # three halvings, one to be sure, and one for all the others


def test_several_and_sets_that_act_together_are_found() -> None:
    assert sorted(map(sorted, smallest_sets("abcdefgh", Asked("b", "g")))) == [["b"], ["g"]]
    assert [sorted(one) for one in smallest_sets("abcdefgh", Asked("bg"))] == [["b", "g"]]
    assert sorted(map(sorted, smallest_sets("abcdefgh", Asked("a", "ceh")))) == [["a"], ["c", "e", "h"]]
    assert smallest_sets("a", Asked("a")) == [["a"]]


def test_names_are_unique_and_each_says_what_it_stands_for() -> None:
    names = [one.name for one in VARIATIONS]
    assert len(set(names)) == len(names)
    assert all(one.emulates and one.group for one in VARIATIONS)
    listed = json.loads(CliRunner().invoke(app, ["vary", "--list", "--format", "json"]).output)
    assert [one["name"] for one in listed["variations"]] == names
    text = CliRunner().invoke(app, ["vary", "--list"]).output
    assert all(name in text for name in names)


def test_arguments_are_names_or_groups() -> None:
    assert choose("--only", ["threads,heap"]) == {"threads-1", "threads-2", "threads-all", "heap"}
    assert choose("--only", ["surroundings"]) == choose("--only", ["environment"])
    assert choose("--only", ["environment"]) == {one.name for one in VARIATIONS if one.is_environment}
    assert choose("--only", []) == frozenset()
    with pytest.raises(UsageError, match="there is no variation 'treads'") as caught:
        choose("--require", ["treads"])
    assert "threads" in (caught.value.hint or "")


def test_changes_add_up() -> None:
    merged = merge([one.change for one in VARIATIONS if one.is_environment and isinstance(one.change, Change)])
    assert dict(merged.environment)["TZ"]
    assert dict(merged.ambient)["hash_seed"]
    assert dict(merged.overrides) == {"umask": 0o077}
    assert merged.elsewhere


def test_what_was_not_in_force_is_reported() -> None:
    by_name = {one.name: one for one in VARIATIONS}
    seen = InForce(
        manifest={"threads": 4, "cpu_capability": "AVX512"},
        settings={"mkldnn": True, "float32_matmul_precision": "highest", "deterministic": "off"},
    )
    for name in ("threads-1", "cpu-avx2", "onednn-off", "matmul-medium", "deterministic-warn", "workers-2"):
        assert by_name[name].not_in_force(seen), name
    seen = InForce(
        manifest={"threads": 1, "cpu_capability": "AVX2"},
        settings={
            "mkldnn": False,
            "float32_matmul_precision": "medium",
            "deterministic": "warn",
            "applied": ["loader", "optimizer"],
        },
    )
    for name in ("threads-1", "cpu-avx2", "onednn-off", "matmul-medium", "deterministic-warn", "workers-2"):
        assert not by_name[name].not_in_force(seen), name


def test_numpy_is_reported_what_it_can_be_reported() -> None:
    def facts(manifest: dict[str, object]) -> Facts:
        request = Request(target=Target(text="", kind=TargetKind.SCRIPT))
        return Facts(request=request, manifest=manifest, settings={}, is_copied=False)

    rows = {one.name: one for one in VARIATIONS if one.group == "numpy-simd"}
    here = {"numpy": "2", "numpy_features": list(numpy_features())}
    for one in rows.values():
        off = dict(one.change.environment).get("NPY_DISABLE_CPU_FEATURES", "").split()
        assert set(off) <= set(numpy_features())
        assert bool(one.why_not(facts(here))) == (not off)
        assert bool(one.not_in_force(InForce(manifest=here, settings={}))) == bool(off)
        assert one.why_not(facts({"numpy": None}))


def test_thread_pools_are_varied_where_they_are_loaded_and_read_back() -> None:
    def facts(**manifest: object) -> Facts:
        request = Request(target=Target(text="", kind=TargetKind.SCRIPT))
        return Facts(request=request, manifest=manifest, settings={}, is_copied=False)

    rows = {one.name: one for one in VARIATIONS if one.group == "thread-pools"}
    one = rows["openblas-threads-1"]
    assert dict(one.change.environment) == {"OPENBLAS_NUM_THREADS": "1"}
    assert not one.why_not(facts(thread_pools={"openblas": 8}))
    assert not one.why_not(facts(imported=["numpy"]))  # threadpoolctl is not installed
    assert one.why_not(facts(thread_pools={"openblas": 1}))
    assert one.why_not(facts(thread_pools={"openmp": 8}, imported=["numpy"]))
    assert one.why_not(facts(imported=["torch"]))
    assert rows["numba-threads-2"].why_not(facts(imported=["numpy"], thread_pools={"openblas": 8}))
    assert not rows["numba-threads-2"].why_not(facts(imported=["numba"], thread_pools={"openblas": 8}))
    for used, says in ((1, False), (8, True)):
        assert bool(one.not_in_force(InForce(manifest={"thread_pools": {"openblas": used}}, settings={}))) is says
    assert not one.not_in_force(InForce(manifest={}, settings={}))


def test_flags_of_a_function_are_read_from_its_source(tmp_path) -> None:
    path = tmp_path / "train.py"
    path.write_text("raise SystemExit\ndef train(a, compile=False, *, use=True, n=3): pass\n")
    target = Target(text="", kind=TargetKind.FILE_FUNCTION, path=path, function="train")
    assert flags_of(target) == (("compile", False), ("use", True))
    path.write_text("def train(:\n")
    assert flags_of(target) == ()


def test_another_number_of_ranks_stands_in_the_words_of_the_launcher() -> None:
    run = "torch.distributed.run"
    assert with_ranks(run, ("--standalone", "--nproc_per_node", "2", "t.py", "--nproc_per_node", "8"), 1) == (
        *("--standalone", "--nproc_per_node", "1", "t.py", "--nproc_per_node", "8"),
    )
    assert with_ranks(run, ("--nproc-per-node=2", "-m", "t"), 4) == ("--nproc-per-node=4", "-m", "t")
    assert with_ranks("accelerate.commands.launch", ("--multi_gpu", "--num_processes", "2", "t.py"), 1) == (
        *("--multi_gpu", "--num_processes", "1", "t.py"),
    )
    assert with_ranks(run, ("t.py", "--nproc_per_node", "8"), 1) is None  # a word of the script
    assert with_ranks(None, ("--nproc_per_node", "8"), 1) is None


def test_what_is_in_force_where_ranks_train_is_what_they_say(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    outcome = make_run(folder)
    for rank in (0, 1):
        make_rank(folder, rank)
    run = load_evidence(replace(outcome, digests=seal(folder)))
    assert in_force(run).ranks == 2 + bool(count_steps(run.steps))
    applied = {"applied": ["ddp"]}
    ranks = tuple(replace(one, evidence=replace(one.evidence, settings_at_end=applied)) for one in run.ranks)
    only = replace(run, steps=b"", ranks=ranks)
    seen = in_force(only)
    assert (seen.ranks, seen.settings["applied"]) == (2, ["ddp"])
    by_name = {one.name: one for one in VARIATIONS}
    assert by_name["ddp-bucket-view"].not_in_force(seen) == ""
    assert by_name["ranks-2"].not_in_force(seen) == ""
    assert by_name["ranks-1"].not_in_force(seen) == "there were 2 ranks"
    assert by_name["ddp-bucket-view"].not_in_force(InForce(manifest={}, settings={})) != ""
