"""The options of `reprocheck doctor` → an answer; its formats."""

from __future__ import annotations

from reprocheck.commands.doctor.document import doctor_document
from reprocheck.commands.doctor.json import render_doctor_json
from reprocheck.report.formats import formats_of

FORMATS = formats_of(document=doctor_document, json=render_doctor_json)
