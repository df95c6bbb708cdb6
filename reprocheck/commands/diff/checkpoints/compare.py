"""Two checkpoints → what is the same, what differs, and what is only arranged in another way."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from xxhash import xxh3_128

from reprocheck.commands.diff.checkpoints.model import Checkpoint, CheckpointDiff, Difference, Tensor, Unreadable
from reprocheck.compare.values_near import count_beyond
from reprocheck.errors import ExitCode
from reprocheck.model.tolerance import Tolerance
from reprocheck.model.values import compare_values
from reprocheck.report.wording import count, first_of

EXACT = Tolerance()
_BLOCK = 1 << 22
"""Bytes that are converted at a time."""
_MOST_NAMES = 3
_WITHOUT_VALUES = ("safetensors", "numpy")
"""Containers that hold tensors alone."""


def compare_checkpoints(a: Checkpoint, b: Checkpoint, tolerance: Tolerance = EXACT) -> CheckpointDiff:
    """By name first; tensors that are left over on both sides by their values, to the bit."""
    differences: list[Difference] = []
    near: list[str] = []
    converted: list[str] = []
    same = 0
    for name in (name for name in a.tensors if name in b.tensors):
        difference = _compare(a.tensors[name], b.tensors[name])
        if difference is not None and difference.values is not None and _is_near(a, b, name, tolerance):
            near.append(name)
        elif difference is not None:
            differences.append(difference)
            continue
        same += 1
        if a.tensors[name].dtype != b.tensors[name].dtype:
            converted.append(f"{name} {a.tensors[name].dtype} -> {b.tensors[name].dtype}")
    renamed, copies, alone = _match(a.tensors, b.tensors)
    differences += alone
    differences += _values(a, b)
    layout = [
        *(
            [f"{count(len(near), 'tensor')} within the tolerance, not equal: {first_of(near, _MOST_NAMES)}"]
            if near
            else []
        ),
        *([f"containers: {a.kind} -> {b.kind}"] if a.kind != b.kind else []),
        *_renamed(renamed),
        *(
            [f"{count(len(copies), 'copy')}: {first_of(copies, _MOST_NAMES)}".replace("copys", "copies")]
            if copies
            else []
        ),
        *([f"dtypes of {count(len(converted), 'tensor')}: {first_of(converted, _MOST_NAMES)}"] if converted else []),
        *(["the order of the tensors"] if _order_differs(a.tensors, b.tensors) else []),
        *_values_of_one(a, b),
    ]
    same += len(renamed)
    compared = same + len(differences) + len(a.values.keys() & b.values.keys())
    code = ExitCode.DIFFERENT if differences else ExitCode.OK if compared else ExitCode.NO_VERDICT
    return CheckpointDiff(
        a=a,
        b=b,
        exit_code=code,
        summary=_summary(a, b, code, same, differences, layout),
        same=same,
        differences=tuple(differences),
        layout=tuple(layout),
    )


def _summary(
    a: Checkpoint, b: Checkpoint, code: ExitCode, same: int, differences: Sequence[Difference], layout: Sequence[str]
) -> str:
    if code is ExitCode.NO_VERDICT:
        return "nothing was compared: no tensor and no value was read"
    if differences:
        return f"{len(differences)} of {same + len(differences)} tensors and values differ; {same} tensors are the same"
    return f"{count(same, 'tensor')} with the same values" + (", arranged in another way" if layout else "")


def _compare(one: Tensor, other: Tensor) -> Difference | None:
    forms = (_form(one), _form(other))
    if one.shape != other.shape:
        return Difference(name=one.name, a=forms[0], b=forms[1], reason="the shapes differ")
    try:
        left, right = one.read(), other.read()
        if one.dtype != other.dtype:
            if _canonical(left, one.dtype) == _canonical(right, other.dtype):
                return None
            return Difference(name=one.name, a=forms[0], b=forms[1], reason="dtypes and values differ")
        if _equal(left, right):
            return None
        values = compare_values(left, right, one.dtype, one.shape)
    except Unreadable as error:
        return Difference(name=one.name, a=forms[0], b=forms[1], reason=f"not compared: {error}")
    return Difference(name=one.name, a=forms[0], b=forms[1], values=values)


def _is_near(a: Checkpoint, b: Checkpoint, name: str, tolerance: Tolerance) -> bool:
    one, other = a.tensors[name], b.tensors[name]
    if tolerance.is_exact:
        return False
    return count_beyond(one.read(), other.read(), one.dtype, one.shape, tolerance) == 0


def _form(tensor: Tensor) -> str:
    return f"{tensor.dtype}[{', '.join(map(str, tensor.shape))}]"


def _equal(left: memoryview, right: memoryview) -> bool:
    import numpy as np

    if left.nbytes != right.nbytes:
        return False
    blocks = ((left[at : at + _BLOCK], right[at : at + _BLOCK]) for at in range(0, left.nbytes, _BLOCK))
    return all(np.array_equal(np.frombuffer(x, "u1"), np.frombuffer(y, "u1")) for x, y in blocks)


def _match(
    a: Mapping[str, Tensor], b: Mapping[str, Tensor]
) -> tuple[list[tuple[str, str]], list[str], list[Difference]]:
    """Of the names that one side alone has: pairs with equal values, copies of what the other side has under another
    name, and the rest.
    """
    left = [tensor for name, tensor in a.items() if name not in b]
    right = [tensor for name, tensor in b.items() if name not in a]
    if not left and not right:
        return [], [], []
    by_content: dict[str, list[Tensor]] = {}
    for tensor in right:
        by_content.setdefault(_content(tensor), []).append(tensor)
    renamed: list[tuple[str, str]] = []
    rest: list[tuple[Tensor, bool]] = []
    for tensor in left:
        partner = next(iter(by_content.get(_content(tensor), [])), None)
        if partner is None:
            rest.append((tensor, True))
        else:
            by_content[_content(tensor)].remove(partner)
            renamed.append((tensor.name, partner.name))
    rest += [(tensor, False) for found in by_content.values() for tensor in found]
    copies, alone = [], []
    contents = [{_content(tensor) for tensor in side.values()} for side in (a, b)] if rest else [set(), set()]
    for tensor, in_a in rest:
        if _content(tensor) in contents[1 if in_a else 0]:
            copies.append(tensor.name)
        else:
            form = _form(tensor)
            alone.append(Difference(name=tensor.name, a=form if in_a else "", b="" if in_a else form))
    return renamed, copies, alone


def _content(tensor: Tensor) -> str:
    """Equal for equal values and shapes, whatever the dtype; of an unreadable tensor like no other."""
    try:
        return f"{tensor.shape}{_canonical(tensor.read(), tensor.dtype)}"
    except Unreadable:
        return f"{id(tensor)}"


def _canonical(data: memoryview, dtype: str) -> str:
    """A digest of the values as numbers of the widest dtype of their kind; of other dtypes of their bits."""
    state = xxh3_128()
    for kind, block in _blocks(data, dtype):
        state.update(kind)
        state.update(block)
    return str(state.hexdigest())


def _blocks(data: memoryview, dtype: str) -> Iterator[tuple[bytes, memoryview | bytes]]:
    import numpy as np

    wide = {"f": "<f8", "i": "<i8", "u": "<i8", "c": "<c16"}
    word = {"bfloat16": "<u2", "float8_e4m3fn": "", "float8_e5m2": ""}.get(dtype, dtype)
    try:
        known = np.dtype(word) if word else None
    except TypeError:
        known = None
    for at in range(0, data.nbytes, _BLOCK):
        block = data[at : at + _BLOCK]
        if known is None or known.kind == "b" or dtype == "uint64":
            yield dtype.encode(), block
            continue
        values = np.frombuffer(block, known)
        if dtype == "bfloat16":
            values = (values.astype("<u4") << 16).view("<f4")
        # One kind a file of any dtype, and -0.0 stays apart from 0.0.
        target = wide[values.dtype.kind]
        yield target.encode(), values.astype(target).tobytes()


def _renamed(pairs: Sequence[tuple[str, str]]) -> list[str]:
    if not pairs:
        return []
    changes = {_change(one, other) for one, other in pairs}
    if len(changes) == 1 and changes != {None}:
        return [f"names of {count(len(pairs), 'tensor')}: {changes.pop()}"]
    return [f"names of {count(len(pairs), 'tensor')}: {first_of([f'{x} -> {y}' for x, y in pairs], _MOST_NAMES)}"]


def _change(one: str, other: str) -> str | None:
    """`model. + name -> name`, where a prefix is all that sets them apart."""
    if one.endswith(other):
        return f"without the prefix {one.removesuffix(other)}"
    return f"with the prefix {other.removesuffix(one)}" if other.endswith(one) else None


def _order_differs(a: Mapping[str, Tensor], b: Mapping[str, Tensor]) -> bool:
    return [name for name in a if name in b] != [name for name in b if name in a]


def _values(a: Checkpoint, b: Checkpoint) -> Iterator[Difference]:
    """What is no tensor. A container without a place for it is no difference."""
    for name in dict.fromkeys([*a.values, *b.values]):
        one, other = a.values.get(name, ""), b.values.get(name, "")
        if one != other and (_hold_alike(a, b) or (one and other)):
            yield Difference(name=name, a=one, b=other)


def _values_of_one(a: Checkpoint, b: Checkpoint) -> Iterator[str]:
    for letter, side, other in () if _hold_alike(a, b) else (("A", a, b), ("B", b, a)):
        names = [name for name in side.values if name not in other.values]
        if names:
            yield f"only {letter} holds {count(len(names), 'value')} besides tensors: {first_of(names, _MOST_NAMES)}"


def _hold_alike(a: Checkpoint, b: Checkpoint) -> bool:
    """Whether both containers have a place for the same things."""
    return a.kind == b.kind or not {a.kind, b.kind} & set(_WITHOUT_VALUES)
