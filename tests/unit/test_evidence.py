"""Evidence that was changed, cut short, replaced or made up is refused, whatever was done to it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from reprocheck.evidence.run import EvidenceUnreadable, load_evidence, read_end, read_tail
from reprocheck.model import Outcome, Status
from reprocheck.protocol import (
    DIGEST_SIZE,
    EVIDENCE_FILE,
    RECORD_SIZE,
    STDOUT_FILE,
    STEP_HEADER,
    STEPS_FILE,
    VALUES_FILE,
)
from reprocheck.protocol.seal import digest_state
from tests.support.evidence import make_run


@pytest.fixture
def outcome(tmp_path: Path) -> Outcome:
    return make_run(tmp_path / "run")


def refusal(outcome: Outcome) -> str:
    with pytest.raises(EvidenceUnreadable) as caught:
        load_evidence(outcome)
    return caught.value.message


def rewrite(path: Path, change: Callable[[bytes], bytes]) -> None:
    path.write_bytes(change(path.read_bytes()))


def forge_line(folder: Path, record: str, **content: object) -> None:
    """Change a line, and make the digest of all lines fit again: what is left are the checks of what it says."""
    lines = [json.loads(text) for text in (folder / EVIDENCE_FILE).read_text().splitlines()]
    for line in lines:
        if line["record"] == record:
            line.update(content)
    texts = [json.dumps(line) + "\n" for line in lines[:-1]]
    state = digest_state()
    state.update("".join(texts).encode())
    lines[-1]["digests"][EVIDENCE_FILE] = state.hexdigest()
    (folder / EVIDENCE_FILE).write_text("".join([*texts, json.dumps(lines[-1]) + "\n"]))


def test_whole(outcome: Outcome) -> None:
    evidence = load_evidence(outcome)
    assert len(evidence.steps) == 4 * RECORD_SIZE
    assert [leaf.name for leaf in evidence.outputs] == ["w", "loss", "x"]
    assert evidence.stdout_is_own


@pytest.mark.parametrize("name", [EVIDENCE_FILE, STEPS_FILE, VALUES_FILE])
def test_changed_after_the_run(outcome: Outcome, name: str) -> None:
    rewrite(outcome.spec.directory / name, lambda data: data[:-2] + bytes([data[-2] ^ 1]) + data[-1:])
    assert f"{name} is not as it was when the run ended" in refusal(outcome)


@pytest.mark.parametrize("kind", range(12))
def test_a_flipped_digest_of_a_step_is_seen_without_a_seal(outcome: Outcome, kind: int) -> None:
    at = RECORD_SIZE + STEP_HEADER.size + DIGEST_SIZE * kind
    rewrite(outcome.spec.directory / STEPS_FILE, lambda d: d[:at] + bytes([d[at] ^ 1]) + d[at + 1 :])
    said = refusal(replace(outcome, digests={}))
    assert "step record 1 does not fit" in said or "holds something else than was written" in said


@pytest.mark.parametrize("name", [EVIDENCE_FILE, VALUES_FILE])
def test_what_the_worker_wrote_is_known_without_a_seal(outcome: Outcome, name: str) -> None:
    rewrite(outcome.spec.directory / name, lambda data: data.replace(b"fc.weight", b"fc.Weight").replace(b"\5", b"\6"))
    assert f"{name} holds something else than was written" in refusal(replace(outcome, digests={}))


def test_another_run_s_files(tmp_path: Path, outcome: Outcome) -> None:
    """A run that puts the files of an earlier one in the place of its own is no second run."""
    other = make_run(tmp_path / "other", "s0r1", word="other")
    for name in (STEPS_FILE, VALUES_FILE):
        (other.spec.directory / name).write_bytes((outcome.spec.directory / name).read_bytes())
    assert "holds something else than was written" in refusal(replace(other, digests={}))
    (other.spec.directory / EVIDENCE_FILE).write_bytes((outcome.spec.directory / EVIDENCE_FILE).read_bytes())
    assert "belongs to another run" in refusal(replace(other, digests={}))


def test_standard_output_changed_later_is_not_compared(outcome: Outcome) -> None:
    (outcome.spec.directory / STDOUT_FILE).write_text("loss 0.4\n")
    assert not load_evidence(outcome).stdout_is_own


@pytest.mark.parametrize(
    ("record", "content"),
    [
        ("memory", {"memory": {"rss_peak": "much"}}),
        ("memory", {"memory": {"rss_peak": 1e999}}),
        ("memory", {"memory": [1]}),
        ("manifest", {"manifest": []}),
        ("manifest", {"manifest": {"imported": [[]]}}),
        ("manifest", {"manifest": {"a": {"b": {"c": {"d": {"e": {"f": {"g": {"h": 1}}}}}}}}}),
        ("settings", {"settings": {"threads": 10**30}}),
        ("files", {"files": [{"path": 1, "size": 1, "digest": ""}]}),
        ("files", {"files": [{"path": "a", "size": 1e999, "digest": ""}]}),
        ("files", {"files": [{"path": "a", "size": 1, "digest": "", "more": 1}, 3]}),
        ("output", {"leaves": [{"name": "a", "kind": "tensor", "size": 2**70}]}),
        ("output", {"leaves": [{"name": "a", "kind": "tensor", "shape": [1e999]}]}),
        ("output", {"leaves": [{"name": "a", "kind": "tensor", "offset": -1}]}),
        ("output", {"leaves": {"a": 1}}),
        ("rng at end", {"torch": None}),
        ("end", {"steps": 1e999}),
        ("end", {"skipped": "1"}),
        ("end", {"stepping": 1e999}),
        ("end", {"stopped_at": True}),
        ("initial", {"tensors": None}),
        ("optimizer", {"index": "x"}),
        ("checkpoint", {"call": None}),
        ("conduct", {"facts": [[]]}),
    ],
)
def test_wrong_types_and_numbers(outcome: Outcome, record: str, content: dict[str, object]) -> None:
    forge_line(outcome.spec.directory, record, **content)
    assert "is damaged" in refusal(replace(outcome, digests={}))


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\n",
        b"[" * 100_000,
        b'{"record": ' + b"1" * 100_000 + b"}\n",
        b"\xff\xfe{}\n",
        b"\xef\xbb\xbf{}\n",
        b"\0" * 4096,
        b'{"record": "start", "run": "s0r0"}\n',
        b"3\n",
        b'{"run": {}}\n[]\n',
    ],
)
def test_no_evidence_at_all(outcome: Outcome, text: bytes) -> None:
    (outcome.spec.directory / EVIDENCE_FILE).write_bytes(text)
    refusal(replace(outcome, digests={}))
    refusal(outcome)
    assert read_end(outcome.spec.directory) is None


def _pipe(path: Path) -> None:
    os.mkfifo(path)


def _link_to_endless(path: Path) -> None:
    path.symlink_to("/dev/zero")


def _loop(path: Path) -> None:
    path.symlink_to(path)


def _folder(path: Path) -> None:
    path.mkdir()


def _other_link(path: Path) -> None:
    path.symlink_to(__file__)


@pytest.mark.parametrize("replacement", [_pipe, _link_to_endless, _loop, _folder, _other_link])
@pytest.mark.parametrize("name", [EVIDENCE_FILE, STEPS_FILE, VALUES_FILE, STDOUT_FILE])
def test_no_file_at_all(outcome: Outcome, name: str, replacement: Callable[[Path], None]) -> None:
    """None of them is waited for, and none leads out of the folder."""
    path = outcome.spec.directory / name
    path.unlink()
    replacement(path)
    if name == STDOUT_FILE:
        assert not load_evidence(outcome).stdout_is_own
        assert read_tail(path) == ""
    else:
        refusal(outcome)
        refusal(replace(outcome, digests={}))


def test_what_becomes_of_the_file_later_does_not_show(outcome: Outcome) -> None:
    steps = load_evidence(outcome).steps
    before = bytes(steps)
    os.truncate(outcome.spec.directory / STEPS_FILE, 0)
    assert bytes(steps) == before


def test_stopped(outcome: Outcome) -> None:
    """Cut off anywhere, it is whole lines and whole records; changed, it is refused."""
    folder = outcome.spec.directory
    os.truncate(folder / STEPS_FILE, 2 * RECORD_SIZE + 7)
    os.truncate(folder / EVIDENCE_FILE, (folder / EVIDENCE_FILE).stat().st_size - 30)
    stopped = replace(outcome, status=Status.STOPPED, digests={})
    assert len(load_evidence(stopped).steps) == 2 * RECORD_SIZE
    rewrite(folder / STEPS_FILE, lambda data: data[:40] + b"\0\0" + data[42:])
    assert "step record 0" in refusal(stopped)


@pytest.mark.parametrize("length", [10, 8192, 100_000, 3 << 20])
def test_a_closing_record_may_be_long(length: int, tmp_path: Path) -> None:
    end = {"record": "end", "status": "failed", "error": "x" * length}
    (tmp_path / EVIDENCE_FILE).write_text('{"record": "start"}\n' * 3 + json.dumps(end) + "\n", encoding="utf-8")
    assert read_end(tmp_path) == end


def test_a_file_without_lines_has_no_closing_record(tmp_path: Path) -> None:
    for data in (b"", b"\n\n", b"{", b"x" * (20 << 20)):
        (tmp_path / EVIDENCE_FILE).write_bytes(data)
        assert read_end(tmp_path) is None
