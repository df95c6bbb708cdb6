"""Every rule has a case that triggers it and a near miss that does not."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from reprocheck.diagnosis.rules import diagnose, examine, pages, remedies
from reprocheck.diagnosis.rules.registry import RULES
from reprocheck.model import Deterministic, Edit, Seeding, Settings
from reprocheck.model.explanation import Arm, Attribution, Case, Frame, Remedy, SeedPlace
from reprocheck.model.kinds import OriginKind
from tests.support.cases import FILE, INTRINSIC, LEFTOVER, ambient, at, case, differs, entry, frozen, hit, origin
from tests.support.rule_cases import CASES, HASH, HEAP, LISTING, LOADER, UNSEEDED, seeding

TARGETS = Path(__file__).parent.parent / "targets"


def causes(of: Case) -> list[str]:
    return [finding.cause for finding in diagnose(of)]


def test_lines_that_draw_from_one_generator_in_several_threads_share_a_cause() -> None:
    """They are no rivals: the first of them is named, no less sure than one line would be."""
    drawn = tuple(
        entry("draw", f"torch.{name}", line, generator="torch", threads=3, value="thread")
        for name, line in (("randperm", 11), ("Tensor.uniform_", 10))
    )
    pool = entry("pool", "concurrent.futures.as_completed", 21)
    found = diagnose(case(attribution=INTRINSIC, entries=(*drawn, pool)))
    assert (found[0].cause, found[0].location, found[0].confidence) == ("threads-share-rng", at(10), "medium")


def test_random_names_of_temporary_files_are_named_where_an_experiment_shows_it() -> None:
    names = entry("entropy", "tempfile")
    [found] = diagnose(case(attribution=frozen("entropy"), entries=(names,)))
    assert (found.cause, found.location) == ("entropy-seed", at(10))
    assert "number the files" in found.help
    one, other = (entry("seed", "torch.manual_seed", 12, value=value, generator="torch") for value in "12")
    left_open = case(attribution=INTRINSIC, entries=(names, one), other_entries=(names, other))
    assert "entropy-seed" not in causes(left_open)


def test_no_file_is_the_reason_where_an_operation_of_equal_inputs_gave_another_output() -> None:
    wrote = entry("write", "open", 11, value="data/a.txt"), entry("read", "open", 10, value="data/a.txt")
    race = origin("aten::index_put_", 26)
    assert "auto-resume" not in causes(case(attribution=INTRINSIC, origin=race, entries=wrote, other_entries=wrote))
    taken_in = replace(race, kind=OriginKind.OUTSIDE)
    assert "auto-resume" in causes(case(attribution=INTRINSIC, origin=taken_in, entries=wrote, other_entries=wrote))


def test_where_a_budget_began_is_no_feature() -> None:
    """Both lines have to be constant; the comparison is named for each of them."""
    marks = hit("clock-loop", 39), hit("clock-loop-reading", 38)
    read = entry("clock", "time.perf_counter", 38), entry("clock", "time.perf_counter", 39)
    for line in (38, 39):
        why = replace(frozen("clock", lines=(line,)), together=True)
        [found] = diagnose(case(attribution=why, entries=read, hits=marks))
        assert (found.cause, found.location) == ("wall-clock-budget", at(39))
    other = hit("clock-loop", 39), hit("clock-loop-reading", 38, function="elsewhere")
    assert causes(case(attribution=frozen("clock", lines=(38,)), entries=read, hits=other)) == ["now-feature"]


def test_every_rule_has_a_case_here() -> None:
    assert set(CASES) == {rule.page.slug for rule in RULES}


@pytest.mark.parametrize("slug", CASES)
def test_a_rule_finds_its_cause_at_its_line(slug: str) -> None:
    found = diagnose(CASES[slug][0]())
    finding = next((one for one in found if one.cause == slug), None)
    assert finding is not None, found
    if finding.severity == "error":
        assert found[0] is finding
    if slug != "fill-masks-cause":
        assert finding.location == at(10)
    assert finding.code == next(page.code for page in pages() if page.slug == slug)
    assert finding.help
    assert "".join(finding.help.split()) not in "".join(finding.source.split())


@pytest.mark.parametrize("slug", CASES)
def test_a_near_miss_is_not_taken_for_it(slug: str) -> None:
    assert slug not in causes(CASES[slug][1]())


def test_nothing_that_fits_gives_nothing() -> None:
    assert diagnose(case(attribution=INTRINSIC)) == ()
    assert diagnose(case(divergence=None)) == ()
    assert diagnose(case()) == ()


def test_slugs_of_the_corpus_are_rules() -> None:
    slugs = {page.slug for page in pages()}
    for path in TARGETS.glob("faulty/*.py"):
        for cause in re.findall(r"^# cause: (.*)$", path.read_text(encoding="utf-8"), re.MULTILINE):
            assert cause.strip() in slugs, path.name


def test_an_experiment_and_one_line_make_it_sure() -> None:
    (finding,) = diagnose(case(attribution=HASH, hits=(hit("set-iteration", edit=True),)))
    assert (finding.severity, finding.confidence, finding.location) == ("error", "high", at(10))
    assert finding.evidence == ("experiments tie the difference to the hash seed",)
    assert finding.edit is not None
    assert finding.edit.after == "mended 10"


def test_several_lines_make_it_unsure() -> None:
    (finding,) = diagnose(case(attribution=HASH, hits=(hit("set-iteration", 10), hit("set-iteration", 20))))
    assert finding.confidence == "low"


def test_the_line_nearest_to_the_origin_is_the_likelier() -> None:
    hits = (hit("set-iteration", 5, function="other"), hit("set-iteration", 30, function="train"))
    (finding,) = diagnose(case(attribution=HASH, hits=hits, origin=origin("aten::embedding", 40, kind="outside")))
    assert (finding.location, finding.confidence) == (at(30), "medium")


def test_without_an_experiment_one_line_is_medium() -> None:
    (finding,) = diagnose(case(attribution=INTRINSIC, entries=(entry("unseeded", "random.Random"),)))
    assert finding.confidence == "medium"


def test_lines_that_an_experiment_named_are_the_only_ones() -> None:
    made = (entry("unseeded", "random.Random", 10), entry("unseeded", "random.Random", 20))
    (finding,) = diagnose(case(attribution=frozen("unseeded", lines=(20,)), entries=made))
    assert (finding.location, finding.confidence) == (at(20), "high")
    assert diagnose(case(attribution=frozen("unseeded", lines=(77,)), entries=made)) == ()


def test_what_a_frozen_arm_excluded_is_not_claimed() -> None:
    arm = Arm(name="frozen unseeded and clock", question="", runs=2, agreed=0, differed=1)
    attribution = Attribution(kind="intrinsic", rate=(2, 2), arms=(arm,))
    assert diagnose(case(attribution=attribution, entries=(entry("unseeded", "random.Random"),))) == ()


def test_what_comes_after_the_difference_is_not_responsible() -> None:
    late = entry("unseeded", "random.Random", step=7)
    assert diagnose(case(divergence=differs("step", step=3), attribution=frozen("unseeded"), entries=(late,))) == ()


def test_the_surer_cause_comes_first_and_the_unsure_are_left_out() -> None:
    found = diagnose(
        case(
            attribution=INTRINSIC,
            origin=origin("aten::_index_put_impl_", phase="backward"),
            entries=(entry("pool", "concurrent.futures.as_completed", 20), entry("pool", "x.as_completed", 21)),
        )
    )
    assert [(one.cause, one.confidence) for one in found] == [("cpu-index-accumulate", "high")]


def test_of_equally_sure_causes_the_more_particular_comes_first_and_takes_the_line() -> None:
    made = entry("unseeded", "numpy.random.default_rng", step=5)
    found = diagnose(case(divergence=differs("metric", step=None), attribution=frozen("unseeded"), entries=(made,)))
    assert [one.cause for one in found] == ["eval-sampling"]


def test_no_more_than_three_causes_and_two_notes() -> None:
    made = tuple(
        entry("unseeded", f"numpy.random.{name}", 10 + i) for i, name in enumerate(("default_rng", "RandomState"))
    )
    more = (entry("seed", "torch.seed", 20, value="entropy"), entry("unseeded", "scipy.stats.Sobol", 21))
    hits = (hit("functional-dropout", 30), hit("constant-init", 31))
    found = diagnose(
        case(entries=(*made, *more, entry("unseeded", "torch.Generator", 32, value="default seed")), hits=hits)
    )
    assert [one.severity for one in found].count("error") == 3
    assert len(found) == 5


def test_where_nothing_differed_there_is_no_error() -> None:
    for make, _ in CASES.values():
        of = make()
        without = case(
            settings=of.request.settings, divergence=None, attribution=of.attribution, entries=of.entries, hits=of.hits
        )
        assert all(finding.severity != "error" for finding in diagnose(without))


def test_what_nobody_seeds_is_a_warning_where_nothing_differed() -> None:
    drawn = (entry("draw", "normal", generator="numpy"),)
    (finding,) = diagnose(case(divergence=None, settings=Settings(seeding=Seeding.NONE), entries=drawn))
    assert (finding.cause, finding.severity) == ("no-seed", "warning")
    assert not diagnose(case(divergence=None, settings=Settings(seeding=Seeding.ALL), entries=drawn))


@pytest.mark.parametrize(
    ("drawn", "calls"),
    [
        (["torch"], "`torch.manual_seed(seed)`"),
        (["torch", "cuda"], "`torch.manual_seed(seed)`"),
        (["numpy", "torch"], "`np.random.seed(seed)` and `torch.manual_seed(seed)`"),
        (["torch", "numpy", "python"], "`random.seed(seed)`, `np.random.seed(seed)` and `torch.manual_seed(seed)`"),
    ],
)
def test_the_help_names_the_generators_that_are_drawn_from(drawn: list[str], calls: str) -> None:
    draws = tuple(entry("draw", "normal", 10 + n, generator=name, order=n) for n, name in enumerate(drawn))
    for attribution in (None, seeding(*drawn)):
        (finding,) = diagnose(case(divergence=None, settings=UNSEEDED, attribution=attribution, entries=draws))
        assert (finding.cause, finding.help) == ("no-seed", f"call {calls} at the start, before anything is drawn")


def test_a_script_without_a_seed_that_accepts_one_is_told_so() -> None:
    draws = (entry("draw", "normal", 10, generator="torch"),)
    taken = (hit("seed-parameter-unused", 4),)
    (finding,) = diagnose(case(divergence=None, settings=UNSEEDED, entries=draws, hits=taken))
    assert finding.cause == "no-seed"
    assert finding.evidence[-1] == "a seed is accepted at train.py:4, and never used"


def test_the_help_names_the_generator_that_is_not_seeded_yet() -> None:
    seeds = entry("seed", "torch.manual_seed", 5, generator="torch", value="1", order=1)
    draws = entry("draw", "normal", 10, generator="numpy", order=2)
    (finding,) = diagnose(case(divergence=None, settings=UNSEEDED, entries=(seeds, draws)))
    assert finding.cause == "partial-seed"
    assert finding.help == "also call `np.random.seed(seed)` where the target seeds the others, at train.py:5"


def test_a_file_that_one_run_alone_has_is_not_left_over_to_the_other() -> None:
    def of(other: str) -> Case:
        own = (entry("write", "open", value="/tmp/a/best.pt"), entry("read", "torch.load", value="/tmp/a/best.pt"))
        others = tuple(replace(one, value=other) for one in own)
        return case(divergence=differs("metric", step=None), attribution=INTRINSIC, entries=own, other_entries=others)

    assert "best-file" not in [finding.cause for finding in diagnose(of("/tmp/b/best.pt"))]
    assert "best-file" in [finding.cause for finding in diagnose(of("/tmp/a/best.pt"))]


def test_a_hash_seed_without_a_line_takes_the_line_of_the_origin() -> None:
    (finding,) = diagnose(case(attribution=HASH, origin=origin("aten::embedding", 33, kind="outside")))
    assert (finding.cause, finding.confidence, finding.location) == ("str-set-order", "low", at(33))


def test_values_that_python_made_are_no_memory_that_torch_left_unwritten() -> None:
    """Where no line leaves any unwritten: a race happened to agree with memory filled."""
    listed = case(attribution=HEAP, origin=origin("aten::lift_fresh", 33, kind="outside"))
    assert causes(listed) == []
    assert causes(replace(listed, hits=(hit("np-empty"),))) == ["np-empty", "fill-masks-cause"]
    assert causes(replace(listed, origin=origin("aten::add", 33, kind="outside"))) == [
        "empty-buffer",
        "fill-masks-cause",
    ]


def texts(of: Case) -> list[str]:
    return [remedy.text for remedy in remedies(of)]


def named(of: Case, text: str) -> Remedy:
    return next(remedy for remedy in remedies(of) if text in remedy.text)


def test_the_changed_line_comes_before_what_hides_the_cause() -> None:
    found = remedies(case(attribution=HASH, hits=(hit("set-iteration", edit=True),)))
    assert [remedy.text for remedy in found] == ["mended 10  # line 10", "PYTHONHASHSEED=0"]
    assert [bool(remedy.hides) for remedy in found] == [False, True]
    assert found[1].environment == (("PYTHONHASHSEED", "0"),)


def test_memory_is_tried_in_two_arms() -> None:
    of = case(divergence=differs("step"), attribution=HEAP, hits=(hit("torch-empty"),))
    without, filled = named(of, "memory not filled"), named(of, "memory filled")
    assert without.settings == (("deterministic", Deterministic.WARN),)
    assert without.overrides == (("fill_memory", False),)
    assert not without.hides
    assert filled.hides
    assert filled.overrides == (("fill_memory", True),)
    assert filled.settings == without.settings  # memory is filled in deterministic mode only


def test_races_are_tried_with_one_thread() -> None:
    assert texts(case(attribution=INTRINSIC))[0] == "--threads 1"
    assert "--threads 1" not in texts(case(attribution=INTRINSIC, manifest={"threads": 1}))
    assert "num_workers=0 in every DataLoader" in texts(case(attribution=INTRINSIC, entries=(LOADER,)))


def test_a_kernel_s_own_order_is_not_tried_with_what_cannot_change_it() -> None:
    gpu = {"gpus": ["NVIDIA H100"], "threads": 2}
    scattered = texts(case(attribution=INTRINSIC, manifest=gpu, origin=origin("aten::scatter_add_")))
    assert scattered == ["--deterministic warn (memory not filled)"]
    assert "--threads 1" in texts(case(attribution=INTRINSIC, manifest=gpu))
    assert "--cudnn-deterministic" in texts(
        case(attribution=INTRINSIC, manifest=gpu, origin=origin("aten::convolution_backward"))
    )


def test_listings_are_tried_sorted() -> None:
    of = case(attribution=LISTING, entries=(entry("listing", "os.listdir"),), hits=(hit("listdir"),))
    assert texts(of) == ["sorted directory listings"]


def test_a_fixed_temporary_directory_hides() -> None:
    assert named(case(attribution=ambient("temporary directory")), "TMPDIR").hides


def test_remedies_come_once_and_the_cheapest_first() -> None:
    for make, _ in CASES.values():
        found = remedies(make())
        assert len({(r.settings, r.environment, r.overrides, r.edits) for r in found}) == len(found)
        working_fixes = [remedy.cost for remedy in found if not remedy.hides]
        assert working_fixes == sorted(working_fixes)


def test_nothing_is_tried_where_nothing_differed() -> None:
    assert remedies(case(divergence=None, attribution=HASH)) == ()


def test_a_file_that_the_run_wrote_itself_is_no_responsible_line() -> None:
    own = entry("read", "torch.load", 10, value="last.pt", generator="own")
    (finding,) = diagnose(case(attribution=LEFTOVER, entries=(own, entry("write", "torch.save", 20, value="last.pt"))))
    assert (finding.confidence, finding.location) == ("low", None)
    assert finding.evidence[-1] == "no line of the source stands out"


def test_a_library_that_draws_from_a_generator_that_was_seeded_before_is_no_finding() -> None:
    draws = entry("unseeded", "sklearn random_state=None", 14, generator="numpy", library="sklearn", order=2)
    seeds = entry("seed", "numpy.random.seed", 5, generator="numpy", value="0", order=1)
    of = case(attribution=None, divergence=None, entries=(seeds, draws))
    assert "third-party-rng" not in [finding.cause for finding in diagnose(of)]
    late = case(attribution=frozen("unseeded"), entries=(draws, replace(seeds, order=3)))
    assert "third-party-rng" in [finding.cause for finding in diagnose(late)]


def test_a_library_that_draws_from_the_generator_of_pytorch_takes_no_random_state() -> None:
    draws = entry("draw", "torch.Tensor.uniform_", 10, generator="torch", library="torch_geometric")
    for attribution in (None, seeding("torch")):
        found = [
            f.cause
            for f in diagnose(case(settings=UNSEEDED, divergence=None, attribution=attribution, entries=(draws,)))
        ]
        assert found[:1] == ["no-seed"], found
        assert "third-party-rng" not in found


def test_a_library_that_draws_from_the_generator_of_numpy_takes_no_random_state() -> None:
    draws = entry("draw", "numpy.random.permutation", 10, generator="numpy", library="stable_baselines3")
    found = {f.cause: f for f in diagnose(case(settings=UNSEEDED, attribution=seeding("numpy"), entries=(draws,)))}
    assert found["third-party-rng"].help.startswith("call `np.random.seed(seed)` at the start")
    made = entry("unseeded", "sklearn random_state=None", 10, generator="numpy", library="sklearn")
    found = {f.cause: f for f in diagnose(case(settings=UNSEEDED, attribution=seeding("numpy"), entries=(made, draws)))}
    assert "random_state=seed" in found["third-party-rng"].help


def test_the_generator_of_an_environment_is_not_that_of_the_library_that_draws_on_its_line() -> None:
    place = SeedPlace(location=at(7), code="model = A2C(env)", message="`A2C` is made here without `seed`")
    made = replace(entry("unseeded", "numpy.random.SeedSequence", 10, library="gymnasium"), seed_place=place)
    draws = entry("draw", "numpy.random.permutation", 10, generator="numpy", library="stable_baselines3")
    of = case(settings=UNSEEDED, divergence=None, attribution=seeding("numpy"), entries=(made, draws), alone=True)
    found = {finding.cause: finding for finding in examine(of)}
    assert found["third-party-rng"].location == at(10)
    assert found["env-rng"].location == at(7)


def test_a_generator_that_a_library_makes_is_the_library_s() -> None:
    made = entry("unseeded", "numpy.random.default_rng", library="scipy")
    (finding,) = diagnose(case(attribution=frozen("unseeded"), entries=(made,)))
    assert finding.cause == "third-party-rng"


def test_torch_draws_of_threads_are_not_responsible_where_another_operation_is_the_origin() -> None:
    drawn = entry("draw", "torch.nn.init.kaiming_uniform_", 20, generator="torch", threads=4)
    of = case(attribution=INTRINSIC, entries=(drawn,), origin=origin("aten::add_", kind="outside"))
    assert diagnose(of) == ()
    assert causes(case(attribution=INTRINSIC, entries=(drawn,))) == ["threads-share-rng"]


def test_two_listings_in_one_line_are_sorted_together() -> None:
    """One of them alone mends nothing."""
    line = "files = [f for d in os.listdir(root) for f in os.listdir(f'{root}/{d}')]"
    first = line.replace("os.listdir(root)", "sorted(os.listdir(root))")
    second = line.replace("os.listdir(f'{root}/{d}')", "sorted(os.listdir(f'{root}/{d}'))")
    marks = tuple(
        replace(hit("listdir", 10), edit=Edit(path=FILE, line=10, before=line, after=after))
        for after in (second, first)
    )
    listed = entry("listing", "os.listdir", 10)
    [found] = diagnose(case(attribution=LISTING, entries=(listed,), hits=marks))
    assert found.edit is not None
    assert found.edit.after == first.replace("os.listdir(f'{root}/{d}')", "sorted(os.listdir(f'{root}/{d}'))")


def test_changes_of_one_line_that_overlap_are_not_put_together() -> None:
    line = "files = os.listdir(os.listdir(root)[0])"
    outer = f"files = sorted({line[8:]})"
    inner = line.replace("os.listdir(root)", "sorted(os.listdir(root))")
    marks = tuple(
        replace(hit("listdir", 10), edit=Edit(path=FILE, line=10, before=line, after=after)) for after in (outer, inner)
    )
    listed = entry("listing", "os.listdir", 10)
    [found] = diagnose(case(attribution=LISTING, entries=(listed,), hits=marks))
    assert found.edit is not None
    assert found.edit.after == outer


def test_a_help_never_repeats_the_line_as_it_stands() -> None:
    code = "self.rng = np.random.default_rng(seed)"
    made = entry("unseeded", "numpy.random.default_rng", generator="numpy.random.Generator", code=code)
    [found] = diagnose(case(attribution=frozen("unseeded", lines=(10,)), entries=(made,)))
    assert "default_rng(seed)" not in found.help
    assert found.help


def test_a_missing_seed_is_put_down_to_who_could_have_given_it() -> None:
    edit = Edit(path=FILE, line=20, before="augment = Noise()", after="augment = Noise(seed=0)")
    place = SeedPlace(location=at(20), code="augment = Noise()", message="`seed` is not given here", edit=edit)
    frames = tuple(Frame(location=at(line), function="f") for line in (10, 20))
    made = entry("unseeded", "numpy.random.default_rng", frames=frames, seed_place=place)
    [found] = diagnose(case(attribution=frozen("unseeded", lines=(10,)), entries=(made,)))
    assert (found.location, found.edit, found.calls) == (at(20), edit, (at(10), at(20)))
    assert found.help == "give it the run's seed: `augment = Noise(seed=0)`"
    assert "train.py:10, called from train.py:20" in " ".join(found.evidence)
    [remedy] = [one for one in remedies(case(attribution=frozen("unseeded"), entries=(made,))) if one.edits]
    assert remedy.edits == (edit,)


def test_a_race_of_equal_inputs_is_no_matter_of_memory() -> None:
    """One pair of a race may agree in any experiment."""
    found = causes(case(divergence=differs("step"), attribution=HEAP, origin=origin("aten::index_put_")))
    assert found[0] == "index-put-duplicates"
    assert not {"empty-buffer", "fill-masks-cause"} & set(found)


def test_what_is_added_up_from_a_queue_is_no_race_of_producers_next_to_it() -> None:
    entries = (entry("thread", "threading.Thread.start", 8, count=4), entry("pool", "queue.Queue.get", 20))
    marks = (hit("queue-sum", 20), hit("thread-producer", 8))
    assert causes(case(attribution=INTRINSIC, entries=entries, hits=marks)) == ["arrival-order-sum"]


def test_an_unsure_cause_whose_changed_line_works_is_reported() -> None:
    marks = (hit("set-iteration", 10, edit=True), hit("hash-call", 40, function="other", edit=True))
    one = case(attribution=HASH, hits=marks, origin=origin("aten::embedding", 10, kind="outside"))
    edit = marks[1].edit
    assert edit is not None
    assert causes(one) == ["str-set-order"]
    assert [finding.cause for finding in diagnose(one, {edit})] == ["str-set-order", "builtin-hash"]


def test_a_cache_is_named_at_the_line_that_ends_the_work_which_later_runs_skip() -> None:
    shown = CASES["cache-shift"][0]()
    assert shown.attribution is not None
    written = entry("write", "torch.save", 14, value="last.pt")
    finding = diagnose(replace(shown, attribution=replace(shown.attribution, first_work=(written,))))[0]
    assert (finding.cause, finding.location) == ("cache-shift", at(14))
    assert any("later ones find it at train.py:10" in line for line in finding.evidence)


def test_the_cache_of_a_library_is_named_at_the_draws_that_later_runs_skip() -> None:
    """As `datasets.map` keeps what the function gave: no line of the target looks for a file."""
    later = (entry("draw", "torch.Tensor.normal_", 30, generator="torch", order=5),)
    first = (
        entry("draw", "numpy.random.random", 8, generator="numpy", order=2),
        entry("write", "datasets.Dataset.map", 12, value="/home/u/.cache/a.arrow", order=3),
        entry("draw", "torch.Tensor.normal_", 30, generator="torch", order=5),
        entry("draw", "torch.randperm", 40, generator="torch", order=9),  # later runs were stopped before it
    )
    shown = case(attribution=replace(LEFTOVER, first_work=first), entries=later, other_entries=later)
    finding = diagnose(shown)[0]
    assert (finding.cause, finding.confidence, finding.location) == ("cache-shift", "high", at(8))
    assert any("writes `/home/u/.cache/a.arrow` at train.py:12" in line for line in finding.evidence)
    again = (*later, replace(first[0], order=1))
    assert causes(replace(shown, entries=again))[0] == "cache-shift"  # of two traced runs the first may be the first
    assert "cache-shift" not in causes(replace(shown, entries=again, other_entries=again))
    assert "cache-shift" not in causes(replace(shown, entries=(), other_entries=()))


def test_a_stored_file_is_no_cache_that_skips_draws_where_both_runs_drew_alike() -> None:
    assert causes(replace(CASES["cache-shift"][0](), equal_generators=True)) == ["auto-resume"]


def test_draws_that_were_skipped_count_though_a_later_seed_makes_the_generators_equal_again() -> None:
    """As a trainer that seeds when it starts, after the data was shuffled and the model made."""
    shown = replace(CASES["cache-shift"][0](), equal_generators=True)
    model = entry("draw", "torch.Tensor.normal_", 30, generator="torch")
    first = (
        entry("draw", "torch.randperm", 13, generator="torch"),
        entry("write", "torch.save", 14, value="last.pt"),
        model,
    )
    assert shown.attribution is not None
    shown = replace(shown, entries=(*shown.entries, model), attribution=replace(shown.attribution, first_work=first))
    assert causes(shown)[0] == "cache-shift"
