"""Ranks: how many there are, and how DistributedDataParallel averages their gradients. Changed in the ranks themselves,
or in the words that a launcher is given."""

from __future__ import annotations

from collections.abc import Sequence

from reprocheck.commands.vary.model import Change, Facts, InForce, Variation

_BUCKETS = "the order in which gradients are summed depends on the buckets that they travel in"
_LAUNCHERS = {
    "torch.distributed.run": "--nproc_per_node",
    "torch.distributed.launch": "--nproc_per_node",
    "accelerate.commands.launch": "--num_processes",
}
_NO_LAUNCHER = "the ranks are not started by --nproc, torchrun or accelerate launch"


def with_ranks(module: str | None, argv: Sequence[str], count: int) -> tuple[str, ...] | None:
    """The words of a launcher with another number of processes; None where that number does not stand in them."""
    option = _LAUNCHERS.get(module or "")
    if option is None:
        return None
    names = {option, option.replace("_", "-")}
    words = list(argv)
    for place, word in enumerate(words):
        name, sign, _ = word.partition("=")
        if name in names and sign:
            words[place] = f"{name}={count}"
            return tuple(words)
        if word in names and words[place + 1 : place + 2]:
            words[place + 1] = str(count)
            return tuple(words)
        if word.endswith(".py"):  # what follows are words of the script
            break
    return None


def _ranks(count: int, emulates: str) -> Variation:
    def why_not(facts: Facts) -> str:
        target = facts.request.target
        if with_ranks(target.module, target.argv, count) is None:
            return _NO_LAUNCHER
        return f"the control has {count} rank{'s' if count > 1 else ''}" if facts.ranks == count else ""

    def not_in_force(seen: InForce) -> str:
        return "" if seen.ranks == count else f"there were {seen.ranks} ranks"

    return Variation(
        name=f"ranks-{count}",
        group="ranks",
        emulates=emulates,
        change=Change(ranks=count),
        why_not=why_not,
        not_in_force=not_in_force,
    )


def _parallel(name: str, argument: str, value: object, emulates: str) -> Variation:
    def why_not(facts: Facts) -> str:
        return "" if "ddp" in facts.calls else "no DistributedDataParallel was made"

    def not_in_force(seen: InForce) -> str:
        return "" if "ddp" in seen.settings.get("applied", ()) else "no DistributedDataParallel took it"

    return Variation(
        name=name,
        group="ddp",
        emulates=emulates,
        change=Change(overrides=((argument, value),)),
        why_not=why_not,
        not_in_force=not_in_force,
    )


VARIATIONS = (
    _ranks(1, "the same training in one process"),
    _ranks(2, "the same training in two processes"),
    _parallel("ddp-small-buckets", "bucket_cap_mb", 0.01, f"DDP(bucket_cap_mb=0.01): {_BUCKETS}"),
    _parallel("ddp-large-buckets", "bucket_cap_mb", 1000, "DDP(bucket_cap_mb=1000)"),
    _parallel("ddp-bucket-view", "gradient_as_bucket_view", True, "DDP(gradient_as_bucket_view=True)"),
    _parallel("ddp-static-graph", "static_graph", True, "DDP(static_graph=True)"),
)
