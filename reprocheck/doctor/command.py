"""The words of `reprocheck doctor` → an answer; its formats."""

from __future__ import annotations

from collections.abc import Callable

from reprocheck.console import Style
from reprocheck.doctor.model import Checkup
from reprocheck.report.doctor_json import render_doctor_json
from reprocheck.report.doctor_text import render_doctor_text

FORMATS: dict[str, Callable[[Checkup, Style], str]] = {"json": render_doctor_json, "text": render_doctor_text}
