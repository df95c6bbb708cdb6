"""One fingerprint for any value that an output may have: the digest over its leaves."""

from __future__ import annotations

from collections.abc import Iterable

from xxhash import xxh3_128_hexdigest

from reprocheck.worker.fingerprint.leaves import Leaf, leaf_key, leaves_of


def fingerprint(value: object) -> str:
    """32 hexadecimal digits that are the same for equal values, in every process and on every machine.

    Tensors, arrays, modules, optimizers, numbers, texts, None, and dicts, lists, tuples, sets and dataclasses of them.
    Of a module its `state_dict` counts. Names, kinds, dtypes, shapes and bits count (NaN payloads and the sign of
    zero, too). Strides, memory layout, device and the order of a dict or set do not. Raises TypeError for a value
    with parts that have no such fingerprint.
    """
    leaves = list(leaves_of(value, state_only=True))
    unread = next((leaf for leaf in leaves if not leaf.digest), None)
    if unread is not None:
        place = f" at {unread.name}" if unread.name else ""
        raise TypeError(f"no fingerprint of this value{place}: {unread.reason}")
    return leaves_digest(leaves)


def helper_state() -> str:
    """How runs take fingerprints here: with the compiled helper, or in Python and why."""
    from reprocheck.worker.fingerprint.native import helper

    return helper.state


def leaves_digest(leaves: Iterable[Leaf]) -> str:
    """The digest over leaves, whatever their order; of one that could not be read the reason counts."""
    lines = sorted(leaf_key(leaf) for leaf in leaves)
    return xxh3_128_hexdigest("\n".join(lines).encode("utf-8", "surrogatepass"))
