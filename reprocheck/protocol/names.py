"""Names that the command and its worker share: files of a run folder, records of the evidence, versions.

A run folder holds `spec.json` (the order), `evidence.jsonl` (lines, closed by an `end` record), `steps.bin`
(fixed-size records), `values.bin` (tensor bytes), `stdout.txt` and `stderr.txt`.
"""

from __future__ import annotations

SCHEMA_VERSION = 1
FINGERPRINT_VERSION = 3
"""Which way fingerprints are made, and of what: those of two versions are never compared.
2: models at the end are seen though they are gone, attributes of modules, objects and optimizers count;
a model that a step left as it was adds nothing to the record of that step.
3: gradients, hooks and frozen parameters of returned modules, class attributes and code of functions count."""
SPEC_FILE = "spec.json"
EVIDENCE_FILE = "evidence.jsonl"
STEPS_FILE = "steps.bin"
VALUES_FILE = "values.bin"
STDOUT_FILE = "stdout.txt"
STDERR_FILE = "stderr.txt"
TRACE_FILE = "trace.bin"
TRACE_TABLE_FILE = "trace.jsonl"
TRACE_VALUES_FILE = "trace-values.bin"
FILES_FILE = "files.json"
"""What the command found in the folder of the run after it: the files that it wrote."""
IN_TEMPORARY = "/$TMPDIR/"
"""How the path of a file begins that a run left in its temporary folder, which has another name in each."""
LEDGER_FILE = "ledger.jsonl"
STATES_FILE = "states.jsonl"
TIMES_FILE = "times.bin"
SKETCH_FILE = "sketch.bin"
SKETCH_TABLE_FILE = "sketch.jsonl"
WEIGHTS_RECORD = "weights"
"""Lines of the evidence that record what initial weights look like (`reprocheck params`)."""
FACT_RECORD = "conduct"
"""A line of the evidence: how the training treats its models, gradients and optimizers."""
PART_RECORD = "part"
PART_VALUES_RECORD = "values of a part"
"""Lines of the evidence: where a named part of the run begins, and what a cell of a notebook left."""
UNOBSERVED_RECORD = "unobserved"
"""Lines of the evidence: something that the target made and the worker could not see."""
MEMORY_RECORD = "memory by phase"
LAYERS_RECORD = "layers"
"""Lines of the evidence of `reprocheck doctor`: memory, the first batch's activations and gradients."""
EVIDENCE_FOLDER = ".reprocheck"
TEMPLATE = "--template"
"""In place of a run folder: the worker is to fork runs. The number of its socket follows."""
TEMPLATES = "--templates"
"""The same for a worker that is to fork templates."""
SUPERVISED = "--supervised"
"""Before a run folder and the number of the process that waits for it: the worker forks, and its parent stays."""
GRACE_SECONDS = 3.0
"""Between asking a run to end and ending it."""
RUN_VARIABLE = "REPROCHECK_RUN"
"""Set in the environment of a run (and so of its children): which run it is."""
SERVER_VARIABLE = "REPROCHECK_TEMPLATE_SERVER"
"""Where audits get their templates from (engine.template_server). No run sees it."""
TRAINED_ELSEWHERE = "trained "
"""Before the kind of a tensor of a model that child processes had trained when it was first called."""
THREAD_MARK = "@thread"
"""In the name of a model that was first called outside the main thread: its number depends on scheduling."""
SINGLE_CALLS = 1000
"""Calls of `reprocheck.checkpoint` under one name that have a line of their own."""
ROW_GROWTH = 8
"""A row of further calls is as long as an eighth of what came before it."""
