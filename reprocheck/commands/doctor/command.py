"""The options of `reprocheck doctor` → an answer; its formats."""

from __future__ import annotations

from reprocheck.commands.doctor.json import render_doctor_json
from reprocheck.commands.doctor.text import render_doctor_text
from reprocheck.report.formats import formats_of

FORMATS = formats_of("doctor", text=render_doctor_text, json=render_doctor_json)
