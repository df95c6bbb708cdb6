"""The words of `reprocheck doctor` → an answer; its formats."""

from __future__ import annotations

from collections.abc import Callable

from reprocheck.commands.doctor.json import render_doctor_json
from reprocheck.commands.doctor.model import Checkup
from reprocheck.commands.doctor.text import render_doctor_text
from reprocheck.engine.console import Style

FORMATS: dict[str, Callable[[Checkup, Style], str]] = {"json": render_doctor_json, "text": render_doctor_text}
