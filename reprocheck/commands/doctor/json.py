"""`reprocheck doctor` as JSON, contract version 1. Within a version keys are only added."""

from __future__ import annotations

import json
from typing import Any

from reprocheck.commands.doctor.memory import growth
from reprocheck.commands.doctor.model import DoctorReport, Memory, Use, weight_of
from reprocheck.commands.params.json import plain_row
from reprocheck.engine.console import Style
from reprocheck.protocol.plain_json import Scrub, plain
from reprocheck.report.json.difference import plain_finding, plain_location
from reprocheck.report.json.memory import plain_out_of_memory
from reprocheck.report.wording import shown_path, shown_target

VERSION = 1


def render_doctor_json(answer: DoctorReport, style: Style) -> str:
    """ASCII JSON: keys sorted, a newline at the end."""
    stable = {
        "doctor_version": VERSION,
        "exit_code": int(answer.exit_code),
        "target": shown_target(answer.request.target),
        "seed": answer.request.seeds[0],
        "steps": answer.steps,
        "summary": answer.summary,
        "findings": [plain_finding(finding) for finding in answer.findings],
        "stage": answer.stage or None,
        "tensors": [plain_row(row) for row in answer.rows],
        "layers": _layers(answer),
        "generators": [
            {
                "name": one.name,
                "told": one.seed_text,
                "seeded": [_use(use) for use in one.seeded],
                "drawn": None if one.drawn is None else _use(one.drawn),
            }
            for one in answer.generators
        ],
        "notes": answer.notes,
    }
    volatile = {
        "seconds": answer.seconds,
        "directory": shown_path(answer.directory),
        "last_words": answer.stderr_tail,
        "memory": _memory(answer.memory),
        "out_of_memory": None if answer.out_of_memory is None else plain_out_of_memory(answer.out_of_memory),
    }
    clean = Scrub(answer.directory).clean(plain(stable))
    return json.dumps({**clean, "volatile": plain(volatile)}, indent=2, sort_keys=True, allow_nan=False) + "\n"


def _layers(answer: DoctorReport) -> list[dict[str, Any]]:
    layers = answer.layers
    rows = []
    for one in layers.activations:
        key = weight_of(answer.rows, one.root, one.name)
        kind, slope = layers.followed.get(key, ("", None))
        rows.append(
            {
                "model": one.root,
                "name": one.name,
                "module": one.module,
                "output_std": one.std,
                "finite": one.finite,
                "gradient_rms": layers.gradients.get(key),
                "goes_into": kind or None,
                "negative_slope": slope,
            }
        )
    return rows


def _use(use: Use) -> dict[str, Any]:
    return {
        "call": use.call,
        "value": use.value or None,
        "count": use.count,
        "library": use.library or None,
        "location": plain_location(use.location),
    }


def _memory(memory: Memory) -> dict[str, Any]:
    """Bytes."""
    return {
        "phases": [
            {
                "phase": phase.name,
                "process": phase.resident,
                "process_peak": phase.resident_peak,
                "cuda": [
                    {
                        "device": one.device,
                        "allocated": one.allocated,
                        "allocated_peak": one.allocated_peak,
                        "reserved": one.reserved,
                        "reserved_peak": one.reserved_peak,
                        "in_pieces": one.split,
                    }
                    for one in phase.devices
                ],
            }
            for phase in memory.phases
        ],
        "process_after_steps": memory.resident,
        "heap_after_steps": memory.heap,
        "growth_per_step": growth(memory.heap),
        "cuda_growth_per_step": {str(device): growth(sizes) for device, sizes in memory.allocated.items()},
        "empty_cache_gives_back": {str(device): given for device, given in memory.given_back.items()},
    }
