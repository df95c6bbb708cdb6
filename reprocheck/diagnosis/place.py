"""Where a run may be made that nobody asked for: it must change nothing that the runs of the audit left."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from reprocheck.diagnosis.leftovers import written_by
from reprocheck.engine.plan import Planner
from reprocheck.engine.workdir import COPIED_BYTES, COPIED_FILES, too_much
from reprocheck.model import Evidence
from reprocheck.protocol.reading import read_source


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """In the folder itself, or in a copy; with the user's home folder, or one of its own."""

    fresh: bool = False
    home_without: tuple[str, ...] | None = None
    home_copies: bool = True


def place_for(planner: Planner, runs: Sequence[Evidence], lasts: Sequence[Evidence] = ()) -> Place | str:
    """The place for one more run like these; a reason as text where there is none.

    `lasts`: the last run of each seed. What only the first ones wrote elsewhere (prepared data) is there by now.
    """
    is_known = all(_is_known(run) for run in (*runs, *lasts))
    again = set(written_by(*(lasts or runs)))
    root = os.path.realpath(planner.cwd).rstrip(os.sep) + os.sep
    written = tuple(path for path in written_by(*runs, *lasts) if path in again or path.startswith(root))
    if is_known and not written:
        return Place()  # what writes nothing can do no harm
    large = too_much(planner.cwd, COPIED_BYTES, COPIED_FILES)
    if large and not is_known:
        return f"the folder is not copied for it, for {large}"
    folder = Path(os.path.realpath(planner.cwd))
    outside = tuple(path for path in written if not Path(path).is_relative_to(folder))
    home = os.path.realpath(planner.environ.get("HOME") or os.path.expanduser("~"))
    elsewhere = next((path for path in outside if not path.startswith(home.rstrip(os.sep) + os.sep)), None)
    if elsewhere is not None:
        return f"it writes {elsewhere}, outside of a copy of the folder"
    absolute = _named_by_absolute_path(planner, runs, written, folder, Path(home))
    if absolute:
        return f"it could write outside of a copy of the folder: {absolute} is named by its absolute path"
    return Place(fresh=True, home_without=outside or None)


def _is_known(run: Evidence) -> bool:
    """Whether all files that it wrote were seen."""
    return not any(item.what == "files" and not item.reason.startswith("another process") for item in run.unobserved)


def _named_by_absolute_path(
    planner: Planner, runs: Sequence[Evidence], written: Iterable[str], folder: Path, home: Path
) -> str:
    """A place of what the runs wrote, or the folder, that code, arguments or --env name in full; else empty."""
    request = planner.request
    given = [*request.target.argv, *(value for _, value in request.target.arguments if isinstance(value, str))]
    given += [value for _, value in request.settings.env]
    texts = [*given, *(_text(path) for path in {path for run in runs for path in run.sources})]
    above = {home, *home.parents, *folder.parents}
    places = {folder} | {place for path in written for place in (Path(path), *Path(path).parents)} - above
    for place in sorted(places, key=lambda place: len(place.parts)):
        if any(str(place) in text for text in texts):
            return str(place)
    return ""


def _text(path: str) -> str:
    try:
        return read_source(path).decode("utf-8", "replace")
    except OSError:
        return ""
