"""The pages of what is found by comparing runs, before any cause is looked for."""

from __future__ import annotations

from reprocheck.diagnosis.rules.model import ERROR, WARNING, Page
from reprocheck.model.kinds import Stage

DIVERGENCES = {
    Stage.INIT: ("RC301", "initial state differs", "the model starts from different values, before any training"),
    Stage.DATA: ("RC302", "model inputs differ", "the data or its order differs while the model is still equal"),
    Stage.STEP: ("RC303", "training step differs", "an equal batch gave different results"),
    Stage.CHECKPOINT: ("RC308", "checkpoint differs", "a value that the target itself put under observation"),
    Stage.OUTPUT: ("RC304", "returned value differs", "everything observed in training was equal"),
    Stage.METRIC: ("RC305", "returned metric differs", "everything else that was observed was equal"),
    Stage.STDOUT: ("RC306", "printed output differs", "it was asked for by --compare"),
    Stage.FILES: ("RC307", "written files differ", "it was asked for by --compare files"),
    Stage.VARIABLES: ("RC309", "variables differ at the end", "it was asked for by --compare variables"),
}
"""Stage → code, phrase, what it says. A code is never used again for something else."""

MOVED = "RC310"
BASELINE_MOVED = "RC311"
SEED_NO_EFFECT = "RC401"

_WHY = "Runs of one seed with the same settings are one experiment: where they differ, its result cannot be repeated."
_FIX = "read the cause that is reported with it"
_LIMITS = "It says where the runs diverge, not why. Bits are compared, not closeness."
_STAGES = {
    Stage.INIT: ("initial-state", "Every parameter and buffer, by name, just before the first step that touches it.",
             "model = nn.Linear(4, 1)  # drawn before the seed was set\ntorch.manual_seed(0)"),
    Stage.DATA: ("model-inputs", "What goes into the model at each step, while the model is still equal.",
             "loader = DataLoader(data, shuffle=True, generator=unseeded)"),
    Stage.STEP: ("training-step", "Forward, loss, gradients, parameters, buffers and optimizer state of each step.",
             "return self.table[rows]  # its backward adds in thread order"),
    Stage.CHECKPOINT: ("checkpoint", "What the target hands to `reprocheck.checkpoint(name, value)`, call by call.",
                   'reprocheck.checkpoint("augmented", batch)'),
    Stage.OUTPUT: ("returned-value", "What the target returns, leaf by leaf, where all training was equal.",
               'return {"run": uuid.uuid4().hex, "model": model}'),
    Stage.METRIC: ("returned-metric", "The numbers that the target returns.",
               'return {"test_loss": evaluate(model, random_subset(x))}'),
    Stage.STDOUT: ("printed-output", "Standard output, or standard error; only with `--compare stdout` or `stderr`.",
               'print("started at", time.time())'),
    Stage.FILES: ("written-files", "Files that the target wrote; only with `--compare files`.",
              'json.dump({"saved_at": time.time()}, f)'),
    Stage.VARIABLES: ("variables", "Numbers, arrays and tensors in globals of the target's modules at the end; only "
                  "with `--compare variables`.", "history.append(time.perf_counter() - started)"),
}  # fmt: skip


def _page(stage: Stage) -> Page:
    code, phrase, note = DIVERGENCES[stage]
    slug, checks, example = _STAGES[stage]
    return Page(
        code=code,
        slug=f"{slug}-differ" if stage in (Stage.DATA, Stage.FILES, Stage.VARIABLES) else f"{slug}-differs",
        title=phrase,
        severity=ERROR,
        checks=checks,
        why=f"{_WHY} Here {note}.",
        example=example,
        fix=_FIX,
        limits=_LIMITS,
    )


PAGES = (
    *(_page(stage) for stage in DIVERGENCES),
    Page(
        code=MOVED,
        slug="revision-moves-numbers",
        title="the results changed since another revision",
        severity=ERROR,
        checks="Each revision reproduces, and the two differ from each other (`--against`).",
        why="A change that was not meant to touch the training moved its numbers.",
        example="reprocheck run train.py:train --against main",
        fix="if the change means to move them, say so with `--allow-different`; else look at the first difference",
        limits="It compares two revisions on this machine, with the packages that are installed now.",
    ),
    Page(
        code=BASELINE_MOVED,
        slug="baseline-moved",
        title="the results are not those of the baseline",
        severity=ERROR,
        checks="Initial state, steps, outputs and metrics of each seed, compared with those in the file of "
        "`--baseline`.",
        why="The training reproduces, but it is not the one that was written down.",
        example="reprocheck run train.py:train --baseline baseline.json",
        fix="if the results are meant to change, update the file with `--update-baseline`; else look at what changed",
        limits="A baseline holds digests: it says between which steps the runs diverge, not at which operation. On a "
        "machine of another numerical class only metrics with a tolerance are compared.",
    ),
    Page(
        code=SEED_NO_EFFECT,
        slug="seed-no-effect",
        title="the seed does not reach the run",
        severity=WARNING,
        checks="Two seeds gave equal initial parameters and equal steps.",
        why="All seeds then give one result: a mean over seeds measures nothing.",
        example="def train():\n    torch.manual_seed(42)  # whatever seed the run was given",
        fix="pass the seed on to the code that draws; look for a constant seed set inside the target",
        limits="Asked only where the audit ran more than one seed.",
    ),
)

PAGE_OF = {page.code: page for page in PAGES}
