"""Ranks of a run: where their evidence lies, how it is read and compared, and what is said of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from reprocheck.commands.params.model import Start, Tensor
from reprocheck.commands.params.ranks import compared
from reprocheck.compare.ranks import first_of
from reprocheck.compare.runs import compare
from reprocheck.diagnosis.localization.communication import folders_of_ranks, run_of
from reprocheck.evidence.ranks import outcomes_of_ranks, rank_of_run
from reprocheck.evidence.run import EvidenceUnreadable, load_evidence
from reprocheck.model import Divergence, Evidence, Fact, Request, Target, TargetKind, as_rank
from reprocheck.model.kinds import Stage
from reprocheck.protocol import EVIDENCE_FILE, SPEC_FILE, STEPS_FILE, encode_spec
from reprocheck.protocol.child_marks import CHILDREN_FILE, MAPPED, TRAINED, mark
from reprocheck.protocol.collective_format import COLLECTIVES_FILE
from reprocheck.protocol.rank_folders import (
    all_stopped,
    claim,
    is_closed,
    rank_by_launcher,
    rank_folders,
    same_identity,
)
from reprocheck.protocol.seal import seal
from reprocheck.report.sections.ranks import named
from reprocheck.worker.ranks.hash_seeds import with_own_seeds
from tests.support.evidence import make_run
from tests.support.ranks import make_rank

REQUEST = Request(target=Target(text="t.py", kind=TargetKind.SCRIPT))


def load(folder: Path, **ranks: str) -> Evidence:
    """A run with ranks 0 and 1; by name, another word for what one of them did."""
    outcome = make_run(folder)
    for rank in (0, 1):
        make_rank(folder, rank, word=ranks.get(f"rank{rank}", ""))
    return load_evidence(replace(outcome, digests=seal(folder)))


def test_a_rank_is_what_a_launcher_says() -> None:
    assert rank_by_launcher({"RANK": "3", "LOCAL_RANK": "1", "WORLD_SIZE": "4"}) == 3
    assert rank_by_launcher({"LOCAL_RANK": "1", "WORLD_SIZE": "2"}) == 1  # Lightning
    assert rank_by_launcher({"LOCAL_RANK": "1", "NODE_RANK": "1", "WORLD_SIZE": "4"}) is None
    assert rank_by_launcher({"RANK": "3"}) is None
    assert rank_by_launcher({"RANK": "x", "WORLD_SIZE": "4"}) is None
    assert same_identity({"RANK": "0"}, {"RANK": "0", "X": "1"})
    names = ("USE_CPU", "MIXED_PRECISION", "DYNAMO_BACKEND", "DYNAMO_MODE")
    alone = {f"ACCELERATE_{name}": "no" for name in names}  # `accelerate launch --cpu --num_processes 2`: one process
    assert rank_by_launcher(alone) == 0
    assert rank_by_launcher({**alone, "OMPI_COMM_WORLD_RANK": "1"}) == 1
    assert rank_by_launcher({"ACCELERATE_USE_CPU": "yes", "ACCELERATE_MIXED_PRECISION": "no"}) is None
    assert not same_identity({}, alone)
    assert same_identity(alone, alone)  # the whole run is such a process
    assert not same_identity({"RANK": "0"}, {"RANK": "1"})


def test_each_process_that_is_a_rank_has_a_folder_of_its_own(tmp_path: Path) -> None:
    first, left_open = claim(tmp_path, 1)
    assert (first, left_open) == (tmp_path / "ranks" / "1-0", False)
    assert all(path.stat().st_mode & 0o777 == 0o700 for path in (first, first.parent))
    assert claim(tmp_path, 1) == (tmp_path / "ranks" / "1-1", True)  # nobody closed the first one
    make_rank(tmp_path, 0)
    assert claim(tmp_path, 0) == (tmp_path / "ranks" / "0-1", False)
    with pytest.raises(OSError, match="no rank"):
        claim(tmp_path, -1)


def test_only_folders_of_ranks_are_read(tmp_path: Path) -> None:
    make_rank(tmp_path, 10)
    make_rank(tmp_path, 2)
    (tmp_path / "ranks" / "3-0").symlink_to(tmp_path / "ranks" / "2-0")
    (tmp_path / "ranks" / "4-0").write_text("")
    (tmp_path / "ranks" / "..5-0").mkdir()
    assert [rank for rank, _, _ in rank_folders(tmp_path)] == [2, 10]
    elsewhere = tmp_path / "other"
    elsewhere.mkdir()
    (elsewhere / "ranks").symlink_to(tmp_path / "ranks")
    assert not list(rank_folders(elsewhere))


def test_ranks_that_agree(tmp_path: Path) -> None:
    a, b = load(tmp_path / "a"), load(tmp_path / "b")
    assert [(one.rank, one.world_size, one.name) for one in a.ranks] == [(0, 2, "rank 0"), (1, 2, "rank 1")]
    found = compare(a, b, REQUEST)
    assert (found.divergence, found.ranks) == (None, ())


def test_a_rank_that_differs(tmp_path: Path) -> None:
    found = compare(load(tmp_path / "a"), load(tmp_path / "b", rank1="other"), REQUEST)
    assert found.divergence is not None
    assert (found.divergence.rank, found.divergence.step, found.divergence.kind) == (1, 0, "batch")
    assert [divergence.rank for divergence in found.ranks] == [1]


def test_of_several_the_earliest_in_a_step_is_shown_and_each_is_told() -> None:
    def at(rank: int | None, kind: str, step: int | None, stage: Stage = Stage.STEP) -> Divergence:
        return Divergence(stage=stage, step=step, kind=kind, names=(), tensors=(), runs=("a", "b"), rank=rank)

    late, early = at(0, "gradients", 0), at(1, "batch", 0, Stage.DATA)
    assert first_of([late, early]) == early
    assert first_of([at(None, "output", None, Stage.OUTPUT), late]) == late
    assert first_of([at(1, "loss", 3), at(0, "loss", 3)]) == at(0, "loss", 3)
    assert first_of([at(0, "batch", 1, Stage.DATA), at(1, "parameters", None, Stage.INIT)]) == at(
        1, "parameters", None, Stage.INIT
    )
    assert first_of([]) is None


def test_a_rank_that_one_run_alone_has_is_not_compared(tmp_path: Path) -> None:
    a, b = load(tmp_path / "a"), load(tmp_path / "b")
    found = compare(a, replace(b, ranks=b.ranks[:1]), REQUEST)
    assert [item.what for item in found.not_compared if item.is_result and item.what.startswith("rank")] == ["rank 1"]


def test_two_processes_that_were_one_rank_at_once_are_not_compared(tmp_path: Path) -> None:
    runs = []
    for name in ("a", "b"):
        outcome = make_run(tmp_path / name)
        make_rank(tmp_path / name, 0)
        make_rank(tmp_path / name, 0, name="0-1", left_open=True, word=name)
        runs.append(load_evidence(replace(outcome, digests=seal(tmp_path / name))))
    found = compare(*runs, REQUEST)
    assert found.divergence is None
    assert "rank 0 (start 2)" in [item.what for item in found.not_compared if item.is_result]


def test_a_rank_that_was_killed_is_compared_as_far_as_it_went(tmp_path: Path) -> None:
    runs = []
    for name, steps, word in (("a", 3, ""), ("b", 2, ""), ("c", 2, "other")):
        outcome = make_run(tmp_path / name)
        make_rank(tmp_path / name, 0, steps=steps, word=word, close=False)
        runs.append(load_evidence(replace(outcome, digests=seal(tmp_path / name))))
    agree, differ = compare(runs[0], runs[1], REQUEST), compare(runs[0], runs[2], REQUEST)
    assert agree.divergence is None
    assert "the end of rank 0" in [item.what for item in agree.not_compared if item.is_result]
    assert differ.divergence is not None
    assert differ.divergence.rank == 0


def test_a_run_seen_from_a_rank(tmp_path: Path) -> None:
    run = load(tmp_path / "a")
    seen = as_rank(run, 1)
    assert seen.spec.directory == tmp_path / "a" / "ranks" / "1-0"
    assert [one.rank for one in seen.ranks] == [0]
    assert as_rank(run, None) is run
    assert as_rank(run, 7) is run


def test_what_ranks_were_seen_to_do_is_not_missing(tmp_path: Path) -> None:
    run = tmp_path / "a"
    outcome = make_run(run)
    make_rank(run, 0)
    for pid in (1000, 1001):
        mark(str(run / CHILDREN_FILE), pid, TRAINED if pid % 2 else MAPPED, pid - 1000)
    seen = load_evidence(replace(outcome, digests=seal(run)))
    assert [item.what for item in seen.unobserved if item.kind] == ["1 child process that used torch (rank 1)"]
    assert [item.what for item in seen.elsewhere][-1] == "1 rank of a distributed training"


@pytest.mark.parametrize("damage", ["cut", "lines", "identity", "another", "added"])
def test_damaged_evidence_of_a_rank_is_no_evidence(damage: str, tmp_path: Path) -> None:
    run = tmp_path / "a"
    outcome = make_run(run)
    folder = make_rank(run, 0)
    outcome = replace(outcome, digests=seal(run))
    evidence = folder / EVIDENCE_FILE
    if damage == "cut":
        (folder / STEPS_FILE).write_bytes((folder / STEPS_FILE).read_bytes()[:-1])
    elif damage == "lines":
        evidence.write_text(evidence.read_text().replace("fc.weight", "fc.wait"))
    elif damage == "identity":
        make_rank(run, 1, world_size="two")
        outcome = replace(outcome, digests=seal(run))
    elif damage == "another":
        make_rank(run, 1, name="2-0")
        outcome = replace(outcome, digests=seal(run))
    else:
        make_rank(run, 1)
    with pytest.raises(EvidenceUnreadable):
        load_evidence(outcome)


def test_a_rank_that_was_started_again_leaves_no_verdict(tmp_path: Path) -> None:
    run = tmp_path / "a"
    outcome = make_run(run)
    make_rank(run, 1, restarts=1)
    with pytest.raises(EvidenceUnreadable, match="elastic agent started rank 1 again"):
        load_evidence(replace(outcome, digests=seal(run)))


def test_the_end_of_all_ranks(tmp_path: Path) -> None:
    assert not all_stopped(tmp_path)
    folder = make_rank(tmp_path, 0)
    assert is_closed(folder)
    assert not all_stopped(tmp_path)
    end = json.dumps({"record": "end", "status": "stopped"})
    with (folder / EVIDENCE_FILE).open("a") as file:
        file.write(end + "\n")
    assert all_stopped(tmp_path)
    assert os.stat(folder / EVIDENCE_FILE).st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("ranks", "text"),
    [
        ([1], "rank 1"),
        ([0, 1], "ranks 0 and 1"),
        ([0, 1, 2, 3], "ranks 0 to 3"),
        ([0, 2, 3, 4, 9], "ranks 0, 2 to 4 and 9"),
    ],
)
def test_ranks_are_named_in_short(ranks: list[int], text: str) -> None:
    assert named(ranks) == text


BETWEEN = (
    *("replicas-differ", "ranks-same-batches", "gradients-not-averaged", "ranks-other-start", "ranks-same-masks"),
)


def replicas(folder: Path, **ranks: dict[str, object]) -> list[tuple[str, tuple[str, ...], int]]:
    """What is said of two ranks that train copies of one model; by rank, how their evidence is otherwise."""
    outcome = make_run(folder)
    for rank in (0, 1):
        make_rank(folder, rank, **{"copy": True, "steps": 4, **ranks.get(f"rank{rank}", {})})  # type: ignore[arg-type]
    run = load_evidence(replace(outcome, digests=seal(folder)))
    assert as_rank(run, 1).facts == run.facts
    return [(fact.kind, fact.names, fact.step) for fact in run.facts if fact.kind in BETWEEN]


def test_copies_of_one_model(tmp_path: Path) -> None:
    assert replicas(tmp_path / "a") == [("ranks-same-batches", ("rank 0", "rank 1"), 0)]
    assert replicas(tmp_path / "b", rank1={"word": "other"}) == [("replicas-differ", ("rank 1",), 0)]
    assert replicas(tmp_path / "c", rank0={"steps": 2}, rank1={"steps": 2}) == []  # too few batches to mean anything
    assert replicas(tmp_path / "d", rank1={"copy": False}) == []
    assert replicas(tmp_path / "e", rank1={"world_size": 4}) == []
    assert replicas(tmp_path / "f", rank1={"word": "other", "key": "2" * 32}) == []  # each steps a part of its own


ALONE: dict[str, tuple[str, ...]] = {"rank-called": (), "replica-stepped": ()}
OTHER = dict.fromkeys(("batch", "forward", "loss", "gradients", "parameters"), "other")


def test_equal_models_without_data_parallel(tmp_path: Path) -> None:
    def said(name: str, **one: object) -> list[tuple[str, tuple[str, ...], int]]:
        return replicas(tmp_path / name, rank0={"facts": ALONE}, rank1={"facts": ALONE, **one})

    apart = [("gradients-not-averaged", ("rank 1",), 0)]
    assert said("equal") == []
    assert (
        replicas(
            tmp_path / "apart", rank0={"facts": ALONE, "tail": "x"}, rank1={"facts": ALONE, "words": OTHER, "tail": "y"}
        )
        == apart
    )
    # they are averaged themselves, or nobody knows how they end
    assert (
        replicas(
            tmp_path / "joined",
            rank0={"facts": ALONE, "tail": "x"},
            rank1={"facts": ALONE, "words": OTHER, "tail": "x"},
        )
        == []
    )
    assert said("cut", words=OTHER) == []
    assert said("same gradients", words={**OTHER, "gradients": ""}, tail="y") == []
    assert said("shards", facts={"rank-called": (), "shards-stepped": ()}, words=OTHER, tail="y") == []


def test_averaged_gradients_on_different_weights(tmp_path: Path) -> None:
    def said(name: str, **one: object) -> list[tuple[str, tuple[str, ...], int]]:
        other = {"facts": ALONE, "weight": "1", "words": {**OTHER, "gradients": ""}, "key": "2" * 32}
        return replicas(tmp_path / name, rank0={"facts": ALONE}, rank1={**other, **one})

    assert said("start") == [("ranks-other-start", ("rank 0", "rank 1"), 0)]
    assert said("independent", words=OTHER) == []
    assert (
        replicas(
            tmp_path / "short", rank0={"facts": ALONE, "steps": 2}, rank1={"facts": ALONE, "steps": 2, "weight": "1"}
        )
        == []
    )


def test_equal_masks(tmp_path: Path) -> None:
    def said(
        name: str, *seeded: str, one: tuple[str, ...] = (), **words: str
    ) -> list[tuple[str, tuple[str, ...], int]]:
        facts = {"replica-called": (), "replica-stepped": (), "replica-drops": ("drop", "42", *seeded)}
        theirs = {**facts, "replica-drops": ("drop", "42", *(one or seeded))}
        other = {"batch": "other", "forward": "other", "loss": "other", **words}
        return replicas(tmp_path / name, rank0={"facts": facts}, rank1={"facts": theirs, "words": other})

    same = [("ranks-same-masks", ("drop", "rank 0", "rank 1"), 0)]
    assert said("masks", "own") == same
    assert said("ours", "unknown") == []  # it may be the seed that we gave
    assert said("rank 0 is the run", "unknown", one=("own",)) == same
    assert said("by design", "library") == []  # accelerate's set_seed
    assert said("the same before", "library", "earlier 7") == []
    assert said("given up", "library", "earlier 7", one=("library", "earlier 8")) == same
    assert said("own generators", "own", **{"rng torch": "other"}) == []


def test_each_rank_has_a_hash_seed_of_its_own() -> None:
    found = with_own_seeds({0: {"RANK": "2", "A": "b"}, 1: {"RANK": "3"}, 2: {}}, 2**32 - 7919)
    assert [env["PYTHONHASHSEED"] for env in found.values()] == ["7919", str(2 * 7919), "7919"]
    assert found[0]["A"] == "b"


def test_a_spawned_process_has_a_hash_seed_of_its_own(tmp_path: Path) -> None:
    outcome = make_run(tmp_path / "run")
    ambient = replace(outcome.spec.ambient, hash_seed=7)
    (tmp_path / "run" / SPEC_FILE).write_text(encode_spec(replace(outcome.spec, ambient=ambient)))
    (tmp_path / "t.py").write_text(
        "import multiprocessing as mp, os, sys\n"
        "from pathlib import Path\n"
        "from reprocheck.worker.ranks.hash_seeds import watch_starts\n\n"
        "def say(queue):\n"
        "    queue.put(os.environ['PYTHONHASHSEED'])\n\n"
        "if __name__ == '__main__':\n"
        "    watch_starts(Path('run'))\n"
        "    context = mp.get_context('spawn')\n"
        "    queue = context.Queue()\n"
        "    for _ in range(2):\n"
        "        child = context.Process(target=say, args=(queue,))\n"
        "        child.start()\n"
        "        child.join()\n"
        "        print(queue.get())\n"
        "    print(os.environ['PYTHONHASHSEED'])\n"
    )
    for seed, known in (("7", ["7", "7926", "7"]), ("5", ["5", "5", "5"])):  # the second one is the user's own
        env = {**os.environ, "PYTHONHASHSEED": seed}
        ran = subprocess.run(
            [sys.executable, "t.py"], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=300
        )
        assert ran.stdout.split() == known, ran.stderr


def test_the_process_of_the_run_is_the_rank_that_is_missing(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    outcome = make_run(folder)
    for rank in (1, 2):
        make_rank(folder, rank, world_size=3)
    run = load_evidence(replace(outcome, digests=seal(folder)))
    joined = replace(run, facts=(Fact(kind="replica-called"),))
    assert rank_of_run(joined, run.ranks) == 0
    assert rank_of_run(run, run.ranks) is None  # it called no model of the group
    assert rank_of_run(joined, run.ranks[1:]) is None  # two are missing
    assert folders_of_ranks(folder).keys() == {1, 2}
    (folder / COLLECTIVES_FILE).touch()
    assert folders_of_ranks(folder)[0] == folder
    assert run_of(folder / "ranks" / "1-0") == run_of(folder) == folder
    assert outcomes_of_ranks(outcome).keys() == {1, 2}


def test_initial_weights_of_ranks_side_by_side() -> None:
    def start(digest: str, placements: str = "") -> Start:
        tensor = Tensor(
            root="Net",
            name="w",
            kind="parameter",
            module="Linear",
            layer="Linear",
            shape=(4, 2),
            dtype="float32",
            device="cpu",
            trainable=True,
            digest=digest,
            placements=placements,
            local_shape=(2, 2) if placements else (),
        )
        return Start(seed=0, stage="step", tensors=(tensor,))

    assert list(compared({0: start("a")})) == []
    assert list(compared({0: start("a"), 1: start("a"), 2: start("b")})) == [
        "initial weights of rank 2 are not those of rank 0: w",
        "these are the initial weights of rank 0; rank 1 started from the same ones",
    ]
    parts = {0: start("a", "Shard(dim=0)"), 1: start("b", "Shard(dim=0)")}
    assert list(compared(parts)) == [
        "these are the initial weights of rank 0; rank 1 started from the same ones; of sharded tensors each has a part"
    ]
