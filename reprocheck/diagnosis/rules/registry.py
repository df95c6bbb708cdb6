"""All rules, the causes of a case, and what may mend it."""

from __future__ import annotations

import re
from dataclasses import replace
from difflib import get_close_matches

from reprocheck.diagnosis.rules import difference_pages, start_pages
from reprocheck.diagnosis.rules.clock import (
    now_feature,
    process_feature,
    timing_choice,
    timing_metric,
    wall_clock_branch,
    wall_clock_budget,
    wall_clock_schedule,
)
from reprocheck.diagnosis.rules.concurrency import (
    arrival_order_sum,
    async_copy_race,
    background_draw,
    hogwild,
    parallel_search,
    producer_race,
    spawn_worker_entropy,
    threads_share_rng,
    worker_race,
)
from reprocheck.diagnosis.rules.generic import generic_remedies
from reprocheck.diagnosis.rules.kernels import (
    atomic_add,
    compile_autotune,
    cpu_index_accumulate,
    cublas_workspace,
    cudnn_algorithm,
    cudnn_benchmark,
    cudnn_rnn,
    flash_attention_backward,
    index_put_duplicates,
    interpolate_backward,
    lstsq_and_signs,
)
from reprocheck.diagnosis.rules.leftovers import (
    auto_resume,
    best_file,
    cache_shift,
    data_changed,
    module_global,
    tmpdir_dependence,
)
from reprocheck.diagnosis.rules.loop import (
    evaluation_in_train_mode,
    gradient_without_optimizer,
    gradients_not_zeroed,
    graph_in_evaluation,
    nothing_is_trained,
    parameters_without_gradient,
    scheduler_before_optimizer,
    step_after_evaluation,
    step_in_eval_mode,
    step_on_old_gradients,
    step_without_gradients,
    train_mode_without_grad,
)
from reprocheck.diagnosis.rules.memory import empty_buffer, empty_parameter, fill_masks_cause, np_empty
from reprocheck.diagnosis.rules.model import CONFIDENCES, ERROR, HIGH, LOW, MEDIUM, NOTE, WARNING, Match, Page, Rule
from reprocheck.diagnosis.rules.notes import (
    constant_init,
    functional_dropout,
    generator_default_seed,
    hashseed_too_late,
    reseed_per_epoch,
    seed_fixed_inside,
    seed_unused,
    worker_epoch_repeat,
)
from reprocheck.diagnosis.rules.order import (
    builtin_hash,
    completion_order,
    glob_order,
    id_order,
    listdir_order,
    str_set_order,
    unordered_float_sum,
    unordered_query,
)
from reprocheck.diagnosis.rules.scene import origin_place
from reprocheck.diagnosis.rules.seeds import (
    clock_or_pid_seed,
    entropy_reseed,
    entropy_seed,
    env_rng,
    eval_sampling,
    first_gpu_only,
    import_time_rng,
    library_reseeds,
    no_seed,
    numpy_generator_unseeded,
    partial_seed,
    rank_sampler_seed,
    ranks_unseeded,
    rng_instance_unseeded,
    seed_after_model,
    seed_drawn,
    third_party_rng,
    worker_init_entropy,
)
from reprocheck.model import Finding
from reprocheck.model.explanation import Case, Remedy

MOST_CAUSES = 3
MOST_NOTES = 4
_SHORT_CODE = 12
"""Characters of code in a help that say nothing about a line in which they occur."""
_RANK = (ERROR, WARNING, NOTE)

RULES: tuple[Rule, ...] = (
    # The operation itself.
    lstsq_and_signs.RULE,
    cpu_index_accumulate.RULE,
    index_put_duplicates.RULE,
    interpolate_backward.RULE,
    flash_attention_backward.RULE,
    cudnn_rnn.RULE,
    cudnn_benchmark.RULE,
    cudnn_algorithm.RULE,
    cublas_workspace.RULE,
    atomic_add.RULE,
    compile_autotune.RULE,
    # Seeds and generators: a particular place before the general kind.
    worker_init_entropy.RULE,
    library_reseeds.RULE,
    clock_or_pid_seed.RULE,
    import_time_rng.RULE,
    env_rng.RULE,
    eval_sampling.RULE,
    rank_sampler_seed.RULE,
    third_party_rng.RULE,
    entropy_seed.RULE,
    ranks_unseeded.RULE,
    entropy_reseed.RULE,
    numpy_generator_unseeded.RULE,
    rng_instance_unseeded.RULE,
    seed_drawn.RULE,
    seed_after_model.RULE,
    partial_seed.RULE,
    no_seed.RULE,
    first_gpu_only.RULE,
    # Order, memory, surroundings.
    unordered_float_sum.RULE,
    builtin_hash.RULE,
    str_set_order.RULE,
    listdir_order.RULE,
    glob_order.RULE,
    empty_parameter.RULE,
    np_empty.RULE,
    empty_buffer.RULE,
    tmpdir_dependence.RULE,
    data_changed.RULE,
    cache_shift.RULE,
    best_file.RULE,
    auto_resume.RULE,
    module_global.RULE,
    # Clocks.
    wall_clock_budget.RULE,
    wall_clock_branch.RULE,
    timing_choice.RULE,
    timing_metric.RULE,
    wall_clock_schedule.RULE,
    now_feature.RULE,
    process_feature.RULE,
    # Races, and what only the source shows.
    arrival_order_sum.RULE,
    threads_share_rng.RULE,
    background_draw.RULE,
    worker_race.RULE,
    completion_order.RULE,
    producer_race.RULE,
    hogwild.RULE,
    unordered_query.RULE,
    spawn_worker_entropy.RULE,
    id_order.RULE,
    async_copy_race.RULE,
    parallel_search.RULE,
    # What stands beside a cause, or shows where nothing differs.
    seed_unused.RULE,
    seed_fixed_inside.RULE,
    generator_default_seed.RULE,
    constant_init.RULE,
    worker_epoch_repeat.RULE,
    hashseed_too_late.RULE,
    fill_masks_cause.RULE,
    functional_dropout.RULE,
    reseed_per_epoch.RULE,
    # How models, gradients and optimizers are treated.
    train_mode_without_grad.RULE,
    evaluation_in_train_mode.RULE,
    graph_in_evaluation.RULE,
    step_after_evaluation.RULE,
    step_in_eval_mode.RULE,
    gradients_not_zeroed.RULE,
    step_on_old_gradients.RULE,
    step_without_gradients.RULE,
    scheduler_before_optimizer.RULE,
    parameters_without_gradient.RULE,
    nothing_is_trained.RULE,
    gradient_without_optimizer.RULE,
)
"""In order of specificity: of equally sure causes the earlier comes first,
unless one stands on the line where the runs part."""


def pages() -> tuple[Page, ...]:
    """Every code, in order."""
    return tuple(
        sorted(
            (*difference_pages.PAGES, *start_pages.PAGES, *(rule.page for rule in RULES)), key=lambda page: page.code
        )
    )


def find_page(name: str) -> Page | None:
    """The page of a code or slug, in any case."""
    wanted = name.strip().lower()
    return next((page for page in pages() if wanted in (page.code.lower(), page.slug)), None)


def nearest(name: str) -> str:
    """The code or slug that looks most like `name`; empty when none does."""
    known = {text.lower(): text for page in pages() for text in (page.code, page.slug)}
    close = get_close_matches(name.strip().lower(), known, n=1)
    return known[close[0]] if close else ""


def diagnose(case: Case) -> tuple[Finding, ...]:
    """The causes that fit, the likeliest first; empty when none does."""
    matches = _matches(case)
    causes = [pair for pair in matches if _is_cause(pair[0])]
    beside = sorted(
        (pair for pair in matches if not _is_cause(pair[0])), key=lambda pair: _RANK.index(pair[0].page.severity)
    )
    if causes and causes[0][1].confidence != LOW:
        causes = [pair for pair in causes if pair[1].confidence != LOW]
    kept = (*_distinct(causes)[:MOST_CAUSES], *_distinct(beside)[:MOST_NOTES])
    return tuple(_finding(case, rule.page, match) for rule, match in kept)


def examine(case: Case) -> tuple[Finding, ...]:
    """Everything that is wrong with one run, the worst first: nothing is compared, and nothing is left out."""
    matches = _matches(case, alone=True)
    causes = _distinct([pair for pair in matches if _is_cause(pair[0])])
    beside = [pair for pair in matches if not _is_cause(pair[0])]
    told = [
        replace(_finding(case, rule.page, match), severity=_severity_alone(case, rule))
        for rule, match in (*causes, *beside)
    ]
    return tuple(sorted(told, key=lambda finding: _RANK.index(finding.severity)))


def _severity_alone(case: Case, rule: Rule) -> str:
    """A function may be left to be seeded by who calls it."""
    if not rule.is_cause or rule.page.severity != ERROR:
        return rule.page.severity
    return NOTE if rule is no_seed.RULE and case.request.target.function is not None else WARNING


def _is_cause(rule: Rule) -> bool:
    return rule.page.severity == ERROR and rule.is_cause


def remedies(case: Case) -> tuple[Remedy, ...]:
    """What may mend the difference, the cheapest first."""
    from_causes = [remedy for _, match in _matches(case) for remedy in match.remedies]
    found: dict[tuple[object, ...], Remedy] = {}
    for remedy in (*from_causes, *generic_remedies(case)):
        found.setdefault((remedy.settings, remedy.environment, remedy.overrides, remedy.edits), remedy)
    return tuple(sorted(found.values(), key=lambda remedy: (bool(remedy.hides), remedy.cost)))


def _matches(case: Case, *, alone: bool = False) -> list[tuple[Rule, Match]]:
    found = []
    for rule in RULES:
        if case.divergence is not None or rule.always or (alone and rule.alone):
            match = rule.match(case)
            if match is not None:
                found.append((rule, match))
    here, _ = origin_place(case)
    return sorted(
        found, key=lambda pair: (CONFIDENCES.index(pair[1].confidence), here is None or pair[1].location != here)
    )


def _distinct(pairs: list[tuple[Rule, Match]]) -> list[tuple[Rule, Match]]:
    """One cause a line: the first is the surer, or the more particular."""
    kept: list[tuple[Rule, Match]] = []
    for rule, match in pairs:
        if match.location is None or all(match.location != other.location for _, other in kept):
            kept.append((rule, match))
    return kept


def _finding(case: Case, page: Page, match: Match) -> Finding:
    return Finding(
        code=page.code,
        cause=page.slug,
        severity=_severity(case, page),
        confidence=_confidence(case, match),
        message=page.title,
        location=match.location,
        source=match.source,
        evidence=match.evidence,
        help=match.help or _advice(page, match),
        edit=match.edit,
        calls=match.calls,
    )


def _advice(page: Page, match: Match) -> str:
    """What the page says, unless the line reads like that already: then it is not what is missing."""
    code = re.findall(r"`([^`]+)`", page.fix)
    source = "".join(match.source.split())
    if match.source and any("".join(text.split()) in source for text in code if len(text) > _SHORT_CODE):
        return "the line reads as it should: look at what it is given at run time, and where that comes from"
    return page.fix


def _confidence(case: Case, match: Match) -> str:
    """No more than the experiment that it rests on can bear."""
    unsure = case.attribution is not None and not case.attribution.sure
    return MEDIUM if unsure and match.confidence == HIGH else match.confidence


def _severity(case: Case, page: Page) -> str:
    """What would be an error is a warning where nothing differs, and less for a function that is left to be seeded by
    who calls it."""
    if page.severity != ERROR or case.divergence is not None:
        return page.severity
    of_seeding = case.attribution is not None and case.attribution.kind == "seeding"
    return NOTE if of_seeding and case.request.target.function is not None else WARNING
