"""The numerical class: all that decides which bits the same computation gives. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from reprocheck.model.baseline import Entry


def class_name(numerical_class: Mapping[str, Any]) -> str:
    """A name to read, and a digest that distinguishes what reads the same."""
    from xxhash import xxh3_64_hexdigest

    facts = numerical_class.get
    gpus, threads = facts("gpus"), facts("threads")
    parts = [
        f"torch {facts('torch')}" if facts("torch") else "no torch",
        str(facts("cpu") or facts("platform") or "unknown CPU"),
        str(facts("cpu_capability") or ""),
        ", ".join(map(str, gpus)) if isinstance(gpus, list) else "",
        f"{threads} thread{'' if threads == 1 else 's'}" if threads else "",
    ]
    digest = xxh3_64_hexdigest(json.dumps(numerical_class, sort_keys=True).encode())[:8]
    return ", ".join([*filter(None, parts), digest])


def known_class(manifest: Mapping[str, Any]) -> str:
    """The name of the class in a manifest; empty where no run lived to say it, and only the machine is known."""
    found = manifest.get("numerical_class")
    return class_name(found) if isinstance(found, Mapping) and (found.get("torch") or found.get("platform")) else ""


def class_differences(there: Mapping[str, Any], here: Mapping[str, Any]) -> tuple[tuple[str, str, str], ...]:
    """The facts in which two classes differ: name, there, here."""
    names = [*here, *(name for name in there if name not in here)]
    return tuple(
        (name, fact_text(there.get(name)), fact_text(here.get(name)))
        for name in names
        if there.get(name) != here.get(name)
    )


def nearest_class(here: Mapping[str, Any], entries: Mapping[str, Entry]) -> str:
    """The name of the class with the fewest other facts; empty when there is none."""
    return min(
        entries, key=lambda name: (len(class_differences(entries[name].numerical_class, here)), name), default=""
    )


def fact_text(value: Any) -> str:
    """A fact on one line; a dash for none."""
    if value is None or value == "":
        return "-"
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True, ensure_ascii=False)
