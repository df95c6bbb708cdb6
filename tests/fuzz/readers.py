"""Every reader of files and messages, each with something whole to begin from. A reader answers or refuses: by an error
of ours, or by one that it is documented to raise. Anything else is a bug."""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

from reprocheck.commands.attest.json import render_verification
from reprocheck.commands.attest.statement import make_statement, predicate_digest
from reprocheck.commands.attest.verify import verify
from reprocheck.commands.collect.command import collect
from reprocheck.commands.cost.measure import step_seconds
from reprocheck.commands.diff.command import FORMATS as DIFF
from reprocheck.commands.diff.compare import diff_sides
from reprocheck.commands.diff.json import render_diff_json
from reprocheck.commands.diff.sides import open_sides
from reprocheck.commands.report.command import INDEX_FORMATS
from reprocheck.commands.report.index import make_index
from reprocheck.commands.report.kept import read_kept
from reprocheck.commands.report.ledger import append
from reprocheck.commands.report.record import record_of
from reprocheck.commands.resume.history import read_history
from reprocheck.commands.run.gate import load_known
from reprocheck.compare.baseline.file import read_baseline, render_baseline
from reprocheck.compare.baseline.snapshot import snapshot_of
from reprocheck.compare.drift import compare_sketches
from reprocheck.compare.runs import compare
from reprocheck.compare.verdict import SeedRuns, judge_seed
from reprocheck.config.settings import load_config, merge
from reprocheck.diagnosis.ledger_file import load_entries
from reprocheck.diagnosis.localization.communication import find_spread
from reprocheck.engine import cache
from reprocheck.engine.console import Style
from reprocheck.engine.folders import files_seen
from reprocheck.engine.progress import SilentProgress
from reprocheck.engine.store import AUDITS, REPORT_FILE
from reprocheck.engine.templates import Template
from reprocheck.evidence.records import out_of_memory
from reprocheck.evidence.run import load_evidence, read_end
from reprocheck.evidence.silent import standings, told, told_of_failure
from reprocheck.evidence.sketch_file import load_sketch
from reprocheck.evidence.trace_file import load_trace
from reprocheck.model import Compare, Outcome, Request, Target, TargetKind
from reprocheck.model.baseline import Baseline, Entry
from reprocheck.model.plan import Plan, PlannedRun
from reprocheck.model.tolerance import Tolerance
from reprocheck.protocol import (
    EVIDENCE_FILE,
    FILES_FILE,
    LEDGER_FILE,
    SKETCH_FILE,
    SKETCH_TABLE_FILE,
    SPEC_FILE,
    STATES_FILE,
    STEPS_FILE,
    TIME_RECORD,
    TIMES_FILE,
    TRACE_FILE,
    TRACE_TABLE_FILE,
    VALUES_FILE,
)
from reprocheck.protocol.collective_format import COLLECTIVES_FILE
from reprocheck.protocol.plan_files import (
    ORDER_FILE,
    PLAN_FILE,
    RESULT_FILE,
    NotAPlan,
    encode_plan,
    plan_digest,
    read_plan,
    result_digest,
)
from reprocheck.protocol.rank_places import PLACE_FILE
from reprocheck.protocol.seal import digest_state
from reprocheck.protocol.sketch_format import BLOCK, SKETCH_VERSION, VALUES
from reprocheck.protocol.trace_format import OUTPUT, RECORD, ROLE_SHIFT, START, TRACE_VERSION
from reprocheck.report import FORMATS
from reprocheck.report.json.v1 import render_json
from tests.fuzz.mutate import damage, distort_json, distort_lines, distort_settings
from tests.support.audits import audit, explained, explanation, metric_over_seeds
from tests.support.baselines import CLASS
from tests.support.evidence import make_run
from tests.support.plans import make_result
from tests.support.ranks import make_rank
from tests.unit.test_drift_report import ANSWER

Change = Callable[[bytes, Random], bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    name: str
    path: Path
    """The file that is damaged."""
    read: Callable[[], object]
    changes: tuple[Change, ...] = (damage,)
    refuses: tuple[type[Exception], ...] = ()
    """Errors that it says it raises, beside our own."""
    never: bool = False
    """Nothing but the whole file is to be taken: anything else that is read is a false same."""


def make_readers(folder: Path) -> list[Reader]:
    """All of them, with their files in `folder`."""
    return [
        *_of_evidence(folder),
        *_of_ranks(folder),
        *_of_records(folder),
        *_of_explanations(folder),
        *_of_reports(folder),
        _of_configuration(folder),
        _of_templates(folder),
        *_of_plans(folder),
    ]


def _of_evidence(folder: Path) -> list[Reader]:
    first = make_run(folder / "first")
    whole = load_evidence(first)
    sealed, own, forged = (make_run(folder / name, "s0r1") for name in ("sealed", "own", "forged"))
    files = [EVIDENCE_FILE, STEPS_FILE, VALUES_FILE]

    def use(outcome: Outcome) -> None:
        evidence = load_evidence(replace(outcome, digests={}))
        request = Request(target=outcome.spec.target, compare=(Compare.STDOUT, Compare.FILES))
        for wanted in (request, replace(request, tolerance=Tolerance(metrics=()), ignore=("x",))):
            found = compare(whole, evidence, wanted)
        runs = SeedRuns(seed=0, outcomes=(first, outcome), evidence=(whole, evidence), comparisons=(found,))
        judged = judge_seed(runs, 2)
        render_json(replace(audit(), seeds=(judged,)), Style())
        snapshot_of(evidence)

    def end() -> None:
        found = read_end(own.spec.directory)
        if found is not None:
            out_of_memory(found)
            files_seen(own.spec.directory)

    readers = [
        Reader(name=f"sealed {file}", path=sealed.spec.directory / file, read=lambda: load_evidence(sealed), never=True)
        for file in files
    ]
    readers += [
        Reader(
            name=f"unsealed {file}",
            path=own.spec.directory / file,
            read=lambda: load_evidence(replace(own, digests={})),
            never=file != EVIDENCE_FILE,  # there white space behind the end is none of the digest's business
        )
        for file in files
    ]
    forging: tuple[Change, ...] = (lambda data, random: _forge(distort_lines(data, random)),)
    readers += [
        Reader(
            name="forged", path=forged.spec.directory / EVIDENCE_FILE, read=lambda: use(forged), changes=forging * 4
        ),
        Reader(name="end", path=own.spec.directory / EVIDENCE_FILE, read=end, changes=(damage, distort_lines)),
    ]
    shown = make_run(folder / "shown", "s0r1")
    listed = {"path": "out.txt", "size": 3, "digest": "5" * 32, "contents": ["a=1"], "kind": "json"}
    content = {"cwd": "/x", "files": [listed], "not_compared": [], "outside": []}
    (shown.spec.directory / FILES_FILE).write_text(json.dumps(content))
    path = shown.spec.directory / FILES_FILE
    readers.append(Reader(name="files", path=path, read=lambda: use(shown), changes=(damage, distort_json)))
    return readers


def _of_ranks(folder: Path) -> list[Reader]:
    run = make_run(folder / "launcher")
    first, second = (make_rank(run.spec.directory, rank, copy=True, steps=4) for rank in (0, 1))
    whole = load_evidence(replace(run, digests={}))
    request = Request(target=run.spec.target)
    place = {"rank": 0, "groups": {"0": 3}, "path": "/x/t.py", "line": 4, "within": "f"}
    call = {"group": "0", "number": 3, "kind": "all_reduce", "inputs": "float[4]"}
    (first / PLACE_FILE).write_text(json.dumps({**place, "calls": [call]}))
    tensor = {"dtype": "float32", "shape": [4], "digest": "a"}
    begun = {
        "begun": 1,
        "op": "allreduce",
        "group": "0",
        "sequence": 1,
        "size": 2,
        "step": 0,
        "path": "t.py",
        "line": 4,
    }
    other = make_run(folder / "other-launcher")
    for one, word in ((run, "b"), (other, "c")):
        for rank in (0, 1):
            lines = [{**begun, "inputs": [tensor]}, {"done": 1, "outputs": [{**tensor, "digest": word}]}]
            own = one.spec.directory / "ranks" / f"{rank}-0"
            own.mkdir(parents=True, exist_ok=True)
            (own / COLLECTIVES_FILE).write_text("".join(json.dumps(line) + "\n" for line in lines))

    def use() -> None:
        evidence = load_evidence(replace(run, digests={}))
        compare(whole, evidence, request)

    def still() -> None:
        found = standings(run.spec.directory, lambda pid: False)
        if found:
            told(found, folder)
        told_of_failure(run.spec.directory, "")

    changes = (damage, distort_lines)
    return [
        Reader(name="rank", path=second / EVIDENCE_FILE, read=use, changes=changes),
        Reader(name="steps of a rank", path=second / STEPS_FILE, read=use),
        Reader(name="rank that stands still", path=second / EVIDENCE_FILE, read=still, changes=changes),
        Reader(name="place of a rank", path=first / PLACE_FILE, read=still, changes=(damage, distort_json)),
        Reader(
            name="collectives",
            path=second / COLLECTIVES_FILE,
            read=lambda: find_spread(run.spec.directory, other.spec.directory),
            changes=changes,
        ),
    ]


def _forge(data: bytes) -> bytes:
    """Evidence whose closing record fits it again."""
    lines = data.splitlines(keepends=True)
    try:
        end = json.loads(lines[-1])
        end["records"] = len(lines) - 1
        state = digest_state()
        state.update(b"".join(lines[:-1]))
        end["digests"][EVIDENCE_FILE] = state.hexdigest()
    except (ValueError, TypeError, KeyError, IndexError):
        return data
    return b"".join([*lines[:-1], json.dumps(end).encode() + b"\n"])


def _of_records(folder: Path) -> list[Reader]:
    timed = make_run(folder / "timed")
    times = b"".join(TIME_RECORD.pack(0.1 * number, 0.01 * number) for number in range(30))
    (timed.spec.directory / TIMES_FILE).write_bytes(times)
    evidence = load_evidence(replace(timed, digests={}))
    cached = make_run(folder / "cached")
    inputs: dict[str, Any] = {"version": "0", "files": {}, "folders": {}, "probes": {}, "modules": {}, "packages": {}}
    plain = {"record": "inputs", **inputs, "machine": "m", "obstacles": []}
    (folder / "inputs.json").write_text(json.dumps(plain))
    expected = (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, cache.NotReusable)

    def order() -> None:
        cache._order(cache._read_json(cached.spec.directory / SPEC_FILE))

    return [
        Reader(name="times", path=timed.spec.directory / TIMES_FILE, read=lambda: step_seconds(evidence)),
        Reader(
            name="cached order",
            path=cached.spec.directory / SPEC_FILE,
            read=order,
            changes=(damage, distort_json),
            refuses=expected,
        ),
        Reader(
            name="cached inputs",
            path=folder / "inputs.json",
            read=lambda: cache.changed(cache._read_json(folder / "inputs.json"), folder),
            changes=(damage, distort_json),
            refuses=expected,
        ),
    ]


def _of_plans(folder: Path) -> list[Reader]:
    place = folder / "plan"
    place.mkdir()
    plan = Plan(
        id="",
        version="0",
        target=Target(text="t.py:f", kind=TargetKind.FILE_FUNCTION, path=Path("t.py"), function="f"),
        options={"repeats": 2, "env": {"A": "1"}, "tolerance": ["loss=1%"]},
        runs=tuple(PlannedRun(number=number, id=f"s0r{number}", seed=0, repeat=number) for number in (0, 1)),
        folder="..",
        code={"t.py": "0" * 32},
        data={},
        same_class=False,
    )
    content = encode_plan(plan)
    (place / PLAN_FILE).write_text(json.dumps(content))
    for run in plan.runs:
        (place / f"run-{run.number}").mkdir()
        order = {"plan": content["plan"], "run": run.number, "id": run.id}
        (place / f"run-{run.number}" / ORDER_FILE).write_text(json.dumps(order))
    result = [make_result(place, number) for number in (0, 1)][1] / RESULT_FILE
    for_plan: tuple[Change, ...] = (damage, distort_json, lambda data, random: _signed(data, random, "plan"))
    for_result: tuple[Change, ...] = (damage, lambda data, random: _signed(data, random, "digest"))

    def judge() -> None:
        render_json(collect(place, SilentProgress()), Style())

    judge()
    statement = folder / "statement.json"
    statement.write_text(json.dumps(make_statement(str(place), folder)))
    for_statement: tuple[Change, ...] = (damage, distort_json, _attested)

    def check() -> None:
        render_verification(verify(statement, SilentProgress()), Style())

    return [
        Reader(
            name="plan", path=place / PLAN_FILE, read=lambda: read_plan(place), changes=for_plan, refuses=(NotAPlan,)
        ),
        Reader(name="collected plan", path=place / PLAN_FILE, read=judge, changes=for_plan * 2),
        Reader(name="collected result", path=result, read=judge, changes=for_result * 2),
        Reader(name="statement", path=statement, read=check, changes=for_statement),
        Reader(name="collected order", path=place / "run-1" / ORDER_FILE, read=judge, changes=(damage, distort_json)),
    ]


def _attested(data: bytes, random: Random) -> bytes:
    """The same of a statement."""
    try:
        content = json.loads(distort_json(data, random))
        content["predicate"]["digest"] = predicate_digest(content["predicate"])
    except (ValueError, TypeError, AttributeError, KeyError, IndexError):
        return data
    return json.dumps(content).encode()


def _signed(data: bytes, random: Random, key: str) -> bytes:
    """Distorted, with a digest that fits again."""
    try:
        content = json.loads(distort_json(data, random))
        content[key] = (plan_digest if key == "plan" else result_digest)(content)
    except (ValueError, TypeError, AttributeError):
        return data
    return json.dumps(content).encode()


def _of_explanations(folder: Path) -> list[Reader]:
    place = folder / "explained"
    place.mkdir()
    entry = {
        "pid": 1,
        "order": 0,
        "kind": "draw",
        "name": "torch.rand",
        "path": "a.py",
        "line": 3,
        "count": 2,
        "step": 1,
    }
    (place / LEDGER_FILE).write_text("".join(json.dumps({**entry, "order": order}) + "\n" for order in range(5)))
    step = {
        **{"record": "step", "step": 1, "optimizer": 0, "batch": "a", "loss": "b", "gradients": "c"},
        **{"hyperparameters": "d", "parameters": "e", "state": "f", "generators": {"torch": "g"}, "rates": [0.1]},
        **{"scalers": [{"scale": 2.0}], "models": []},
    }
    start = {"record": "start", "step": 0, "optimizer": 0, "parameters": "a", "state": "", "entries": 0}
    save = {"record": "save", "step": 1, "path": "c.pt", "leaves": [{"name": "w", "kind": "tensor", "digest": "1"}]}
    lines = [start, step, save, {"record": "load", "step": 0, "path": "c.pt"}]
    (place / STATES_FILE).write_text("".join(json.dumps(line) + "\n" for line in lines))
    event = {"event": 1, "op": "aten.add", "thread": "", "phase": "forward", "module": ["Net", "fc"]}
    frame = {"path": "a.py", "line": 3, "function": "train"}
    table: list[Mapping[str, Any]] = [
        {"trace": TRACE_VERSION, "first": 0, "inputs": True},
        {**event, "frames": [frame], "arguments": ["x"], "tags": []},
        {"form": 1, "dtype": "float32", "shape": [2], "order": None, "device": "cpu", "layout": "", "reason": ""},
        {"end": 3},
    ]
    (place / TRACE_TABLE_FILE).write_text("".join(json.dumps(line) + "\n" for line in table))
    record = RECORD.pack(1, 1, 7, 1, OUTPUT << ROLE_SHIFT | START, 0)
    (place / TRACE_FILE).write_bytes(record * 3)
    changes = (damage, distort_lines)
    _write_sketch(place)
    whole = load_sketch(place)
    return [
        Reader(
            name="sketch table",
            path=place / SKETCH_TABLE_FILE,
            read=lambda: compare_sketches(whole, load_sketch(place)),
            changes=changes,
        ),
        Reader(
            name="sketch blocks",
            path=place / SKETCH_FILE,
            read=lambda: compare_sketches(load_sketch(place), whole),
        ),
        Reader(name="ledger", path=place / LEDGER_FILE, read=lambda: load_entries(place), changes=changes),
        Reader(name="states", path=place / STATES_FILE, read=lambda: read_history(place), changes=changes),
        Reader(name="trace tables", path=place / TRACE_TABLE_FILE, read=lambda: load_trace(place), changes=changes),
        Reader(name="trace records", path=place / TRACE_FILE, read=lambda: load_trace(place)),
    ]


def _write_sketch(folder: Path) -> None:
    row = {"row": 0, "kind": "parameters", "name": "w", "dtype": "float32", "shape": [10, 10]}
    rate = {"row": 1, "kind": "rate", "name": "SGD#0", "dtype": "float64", "shape": [1]}
    table: list[Mapping[str, Any]] = [{"sketch": SKETCH_VERSION, "first": 0}, row, rate, {"dense": 16}, {"full": 3}]
    (folder / SKETCH_TABLE_FILE).write_text("".join(json.dumps(line) + "\n" for line in table))
    block = struct.pack(f"<2I{2 * VALUES}d", 0, 1, *(0.5 + number for number in range(2 * VALUES)))
    (folder / SKETCH_FILE).write_bytes(b"".join(BLOCK.pack(step, 2) + block for step in range(3)))


def _of_reports(folder: Path) -> list[Reader]:
    report, other, baseline = (folder / name for name in ("report.json", "other.json", "baseline.json"))
    report.write_text(render_json(explained(), Style()))
    other.write_text(report.read_text())
    evidence = load_evidence(make_run(folder / "for-baseline"))
    entry = Entry(numerical_class=CLASS, python="3.12", packages={"torch": "2"}, seeds={0: snapshot_of(evidence)})
    made = Baseline(target={"target": "t.py"}, settings={}, tolerance=Tolerance(), entries={"a class": entry})
    baseline.write_text(render_baseline(made))

    def compared(path: Path) -> None:
        sides = open_sides(str(path), folder)
        whole = open_sides(str(other), folder)
        found = diff_sides(sides[0], whole[0], Tolerance())
        DIFF["text"](found, Style())
        render_diff_json(found, Style())

    def shown() -> None:
        audit = read_kept(kept)
        for render in FORMATS.values():
            render(audit, Style())
        make_index(kept.parents[2])

    def remembered(history: Path) -> None:
        index = make_index(folder / "nowhere", history)
        for render in INDEX_FORMATS.values():
            render(index, Style())

    line = folder / "history" / "2026-01.jsonl"
    append(line.parent, record_of(explained()))
    kept = folder / "kept" / AUDITS / "one" / REPORT_FILE
    kept.parent.mkdir(parents=True)
    whole = explained(metrics=(metric_over_seeds(),), explanation=explanation(drift=ANSWER))
    kept.write_text(render_json(whole, Style()))
    changes = (damage, distort_json, distort_json)
    return [
        Reader(name="kept audit", path=kept, read=shown, changes=changes),
        Reader(name="history", path=line, read=lambda: remembered(line.parent), changes=(damage, distort_json)),
        Reader(name="report", path=report, read=lambda: compared(report), changes=changes),
        Reader(name="only-new", path=report, read=lambda: load_known(report), changes=changes),
        Reader(name="baseline", path=baseline, read=lambda: read_baseline(baseline), changes=changes),
        Reader(name="baseline as a side", path=baseline, read=lambda: compared(baseline), changes=changes),
    ]


def _of_configuration(folder: Path) -> Reader:
    path = folder / "pyproject.toml"
    path.write_text(
        '[project]\nname = "x"\n\n[tool.reprocheck]\nseeds = 3\nrepeats = 2\ntimeout = 1.5\nmemory-fraction = 0.5\n'
        'arg = { lr = 0.1, name = "a" }\nenv = { A = "b" }\noutput = ["json=a.json"]\ntolerance = ["loss=1%"]\n'
    )
    changes = (damage, distort_settings, distort_settings)
    return Reader(name="configuration", path=path, read=lambda: merge({}, load_config(path)), changes=changes)


def _of_templates(folder: Path) -> Reader:
    path = folder / "messages"
    path.write_bytes(b'["ready"]\n["forked", 4711]\n["ended", 4711, -9]\n')

    def listen() -> None:
        template = Template.__new__(Template)
        template._socket, other = socket.socketpair()
        template._socket.setblocking(False)
        template._received, template._statuses, template._forked = b"", {}, []
        template.is_ready = template.is_lost = False
        template._pid = None
        with other, template._socket:
            other.setblocking(False)
            other.send(path.read_bytes()[: 1 << 15])
            template._read()

    return Reader(name="template", path=path, read=listen, changes=(damage, distort_lines))
