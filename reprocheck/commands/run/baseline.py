"""An audit and its baseline file: opened before anything is run, compared and perhaps written after."""

from __future__ import annotations

import importlib.metadata
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from reprocheck.compare.baseline.compare import compare_snapshots
from reprocheck.compare.baseline.file import is_outdated, read_baseline, render_baseline
from reprocheck.compare.baseline.numerical import class_differences, class_name, nearest_class
from reprocheck.errors import ExitCode, UsageError
from reprocheck.model import Request, Target, TargetKind, Verdict
from reprocheck.model.baseline import OTHER_CLASS, Baseline, BaselineAnswer, Entry, SeedComparison, Snapshot, State
from reprocheck.protocol.plain_json import plain
from reprocheck.protocol.secrets import MASK, is_secret_name, mask_arguments, mask_argv


def open_baseline(request: Request) -> Baseline | None:
    """The file of --baseline, checked against what is about to run; None without one. Raises UsageError."""
    path = request.baseline
    if path is None:
        if request.update_baseline:
            raise UsageError("--update-baseline needs a file to write", "name it with --baseline FILE")
        return None
    if request.update_baseline and request.repeats < 2:
        raise UsageError("--update-baseline needs two runs or more of each seed", "only what reproduces is kept")
    ours = Baseline(target=_target(request.target, path), settings=_settings(request), tolerance=request.tolerance)
    if request.update_baseline and not os.path.lexists(path):
        _refuse_unwritable(path)
        return ours
    if not os.path.lexists(path):
        raise UsageError(f"there is no baseline {path}", "make it with --update-baseline, and commit it")
    if request.update_baseline and is_outdated(path):
        return ours
    theirs = read_baseline(path)
    _refuse_other(theirs, ours, request)
    return replace(theirs, tolerance=request.tolerance.over(theirs.tolerance))


def check_baseline(
    baseline: Baseline | None,
    request: Request,
    verdict: Verdict,
    snapshots: Mapping[int, Snapshot],
    manifest: Mapping[str, Any],
) -> BaselineAnswer | None:
    """How the audit compares with the baseline; with --update-baseline the file is written. None without one."""
    if baseline is None or request.baseline is None:
        return None
    own = plain(manifest["numerical_class"])
    name = class_name(own)
    found = name if name in baseline.entries else nearest_class(own, baseline.entries)
    entry = baseline.entries.get(found)
    seeds = _compare(entry, snapshots, baseline, "" if found == name else OTHER_CLASS)
    packages = _packages(manifest)
    answer = BaselineAnswer(
        file=str(request.baseline),
        verdict=_verdict(seeds),
        reason=_reason(seeds, baseline, snapshots),
        class_name=name,
        compared_class=found,
        class_differences=() if entry is None else class_differences(entry.numerical_class, own),
        packages=() if entry is None else _other_versions(entry.packages, packages),
        seeds=seeds,
        tolerance=baseline.tolerance,
    )
    if not request.update_baseline:
        if verdict is Verdict.REPRODUCIBLE:
            return answer
        return replace(answer, verdict=Verdict.NO_VERDICT, reason="the runs do not agree among themselves", seeds=())
    if verdict is not Verdict.REPRODUCIBLE:
        reason = "not written: only what reproduces is kept"
        return replace(answer, verdict=Verdict.NO_VERDICT, reason=reason)
    entry = Entry(numerical_class=own, python=str(manifest.get("python", "")), packages=packages, seeds=snapshots)
    kept = {other: one for other, one in baseline.entries.items() if other != name}
    _write(replace(baseline, entries={**kept, name: entry}), request.baseline)
    return replace(answer, verdict=Verdict.REPRODUCIBLE, reason="", updated=True, kept=tuple(sorted(kept)))


def overall_baseline(verdict: Verdict, code: ExitCode, answer: BaselineAnswer | None) -> tuple[Verdict, ExitCode]:
    """The audit's verdict with the baseline taken in: what does not reproduce needs no baseline to fail."""
    if answer is None or verdict is not Verdict.REPRODUCIBLE or answer.verdict is Verdict.REPRODUCIBLE:
        return verdict, code
    return answer.verdict, ExitCode.DIFFERENT if answer.verdict is Verdict.DIFFERENT else ExitCode.NO_VERDICT


def _compare(
    entry: Entry | None, snapshots: Mapping[int, Snapshot], baseline: Baseline, no_bits: str
) -> tuple[SeedComparison, ...]:
    if entry is None:
        return ()
    return tuple(
        compare_snapshots(seed, entry.seeds[seed], one, baseline.tolerance, no_bits)
        for seed, one in snapshots.items()
        if seed in entry.seeds
    )


def _verdict(seeds: Sequence[SeedComparison]) -> Verdict:
    if any(part.state is State.DIFFERENT for one in seeds for part in one.parts):
        return Verdict.DIFFERENT
    return Verdict.REPRODUCIBLE if seeds and all(one.is_comparable for one in seeds) else Verdict.NO_VERDICT


def _reason(seeds: Sequence[SeedComparison], baseline: Baseline, snapshots: Mapping[int, Snapshot]) -> str:
    if _verdict(seeds) is not Verdict.NO_VERDICT:
        return ""
    if not baseline.entries:
        return "it holds no results"
    if len(seeds) < len(snapshots) or not seeds:
        return "it holds no results of these seeds"
    for part in next(one for one in seeds if not one.is_comparable).parts:
        if part.what == "metrics":
            return part.reason
    first = next(one for one in seeds if not one.is_comparable).parts[0].reason
    return f"{first}, and nothing was returned that is a metric"


def _refuse_other(theirs: Baseline, ours: Baseline, request: Request) -> None:
    """A baseline of another training, or of other settings, says nothing of this one."""
    differ = [
        *_mapping_differs("", _without_secrets(theirs.target), ours.target),
        *_mapping_differs("", theirs.settings, ours.settings),
    ]
    recorded = sorted({seed for entry in theirs.entries.values() for seed in entry.seeds})
    if theirs.entries and recorded != sorted(request.seeds):
        differ.append(f"seeds: {_seeds(recorded)} there, {_seeds(request.seeds)} here")
    if differ:
        hint = "run it as it was, or remove the file and write it again with --update-baseline"
        raise UsageError(f"baseline {request.baseline} was made otherwise: {'; '.join(differ)}", hint)


def _without_secrets(target: Mapping[str, Any]) -> dict[str, Any]:
    """A file that was written before secrets were masked."""
    argv, arguments = target.get("argv"), target.get("arguments")
    found = dict(target)
    if isinstance(argv, list) and all(isinstance(word, str) for word in argv):
        found["argv"] = list(mask_argv(argv))
    if isinstance(arguments, Mapping):
        found["arguments"] = {name: _masked(name, value) for name, value in arguments.items()}
    return found


def _masked(name: str, text: Any) -> Any:
    return repr(MASK) if is_secret_name(name) and text not in ("None", "''", "True", "False") else text


def _mapping_differs(prefix: str, there: Mapping[str, Any], here: Mapping[str, Any]) -> list[str]:
    names = sorted({*there, *here})
    return [
        f"{prefix}{name}: {_word(there.get(name))} there, {_word(here.get(name))} here"
        for name in names
        if there.get(name) != here.get(name)
    ]


def _word(value: Any) -> str:
    text = "not set" if value is None else str(value)
    return text if len(text) <= 100 else text[:97] + "..."


def _seeds(seeds: Sequence[int]) -> str:
    return (", ".join(map(str, seeds[:10])) or "none") + (f" and {len(seeds) - 10} more" if len(seeds) > 10 else "")


def _target(target: Target, baseline: Path) -> dict[str, Any]:
    """The target as seen from the file, so that it is the same from wherever the audit is started."""
    what = target.module or ""
    if target.path is not None:
        what = os.path.join(os.path.relpath(_folder(target.path), _folder(baseline)), target.path.name)
        what = Path(what).as_posix()
    text = f"-m {what}" if target.kind is TargetKind.MODULE else what
    found = {
        "target": text + (f":{target.function}" if target.function else ""),
        "argv": list(mask_argv(target.argv)),
        "arguments": {name: repr(value) for name, value in sorted(mask_arguments(dict(target.arguments)).items())},
    }
    return dict(plain(found))


def _folder(path: Path) -> str:
    return os.path.realpath(os.path.dirname(os.path.abspath(path)))


def _settings(request: Request) -> dict[str, Any]:
    """The settings that numbers may depend on; those that are left alone are left out."""
    settings = request.settings
    found = {
        "seeding": settings.seeding,
        "cudnn_deterministic": settings.cudnn_deterministic,
        "cudnn_benchmark": settings.cudnn_benchmark,
        "deterministic": settings.deterministic,
        "tf32": settings.tf32,
        "threads": settings.threads,
        "max_steps": settings.max_steps,
        "env": sorted(name for name, _ in settings.env) or None,  # names only: a value may be a secret
        "ignore": sorted(request.ignore) or None,
    }
    return {name: value for name, value in plain(found).items() if value is not None}


def _packages(manifest: Mapping[str, Any]) -> dict[str, str]:
    """Name → version of the packages that the run imported; all others are none of its business."""
    owners = _owners()
    used = {name.lower() for module in manifest.get("imported", ()) for name in owners.get(module, ())}
    return {name: version for name, version in manifest.get("packages", {}).items() if name in used}


@lru_cache(maxsize=1)
def _owners() -> Mapping[str, Sequence[str]]:
    """Module → packages that brought it. Reads what every package has installed."""
    return importlib.metadata.packages_distributions()


def _other_versions(there: Mapping[str, str], here: Mapping[str, str]) -> tuple[tuple[str, str, str], ...]:
    names = sorted({*there, *here})
    return tuple((n, there.get(n, ""), here.get(n, "")) for n in names if there.get(n) != here.get(n))


def _refuse_unwritable(path: Path) -> None:
    if not os.path.isdir(os.path.dirname(os.path.abspath(path))):
        raise UsageError(f"cannot write baseline {path}: there is no folder {os.path.dirname(path)}")


def _write(baseline: Baseline, path: Path) -> None:
    from reprocheck.report.write import OutputError, write_atomically

    try:
        write_atomically(path, render_baseline(baseline).encode("utf-8"))
    except OSError as error:
        raise OutputError(f"cannot write baseline {path}: {error.strerror or error}") from error
