"""The compiled helper gives the digests that Python gives, whatever it is fed, and is built where that is possible."""

from __future__ import annotations

import importlib.util
import os
import random
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from xxhash import xxh3_128

import reprocheck
from reprocheck.worker.fingerprint import digest as digests
from reprocheck.worker.fingerprint.digest import DigestBuilder, Item
from reprocheck.worker.fingerprint.native import LIBRARY, Unavailable, helper, load
from reprocheck.worker.fingerprint.plain import UnsupportedTensor

ROOT = Path(reprocheck.__file__).parent.parent
needs_helper = pytest.mark.skipif(helper.feed is None, reason=helper.why_not or "in use")
DTYPES = (torch.float32, torch.float64, torch.bfloat16, torch.int64, torch.uint8, torch.bool, torch.complex64)
VIEWS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "as it is": lambda x: x,
    "transposed": lambda x: x.t() if x.dim() == 2 else x,
    "every second": lambda x: x[::2] if x.dim() else x,
    "the rest": lambda x: x[1:] if x.dim() else x,
    "expanded": lambda x: x.expand(3, *x.shape),
    "a scalar": lambda x: x.sum() if x.dtype is not torch.bool else x.any(),
    "negated": lambda x: torch._neg_view(x) if x.dtype in (torch.float32, torch.float64) else x,
    "lazy": torch._lazy_clone,
    "trained": lambda x: x.detach().clone().requires_grad_() if x.is_floating_point() else x,
    "sparse": lambda x: x.to_sparse() if x.dtype is not torch.complex64 else x,
    "meta": lambda x: x.to("meta"),
}


@st.composite
def tensors(draw: st.DrawFn) -> torch.Tensor:
    shape = draw(st.lists(st.integers(0, 40), max_size=3))
    if draw(st.integers(0, 9)) == 0:
        shape = [draw(st.integers(60_000, 80_000))]
    generator = torch.Generator().manual_seed(draw(st.integers(0, 5)))
    made = torch.randint(0, 2, shape, generator=generator).to(draw(st.sampled_from(DTYPES)))
    return VIEWS[draw(st.sampled_from(sorted(VIEWS)))](made)


ITEMS = st.lists(st.one_of(tensors(), tensors(), tensors(), st.none(), st.binary(max_size=300)), max_size=12)


def in_python(items: list[Item]) -> tuple[bytes, int]:
    whole = DigestBuilder()
    for item in items:
        if isinstance(item, torch.Tensor):
            whole.tensor(item)
        else:
            whole.bytes(b"none" if item is None else item)
    return whole.digest(), whole.skipped


@needs_helper
@settings(deadline=None, max_examples=300)
@given(ITEMS)
def test_whatever_it_is_fed_the_digest_is_that_of_python(items: list[Item]) -> None:
    whole = DigestBuilder()
    whole.all(items)
    assert (whole.digest(), whole.skipped) == in_python(items)
    for item in items:
        if isinstance(item, torch.Tensor):
            assert outcome(digests.tensor_digest, item) == outcome(digests._tensor_digest, item)
            if type(item) is torch.Tensor and item.layout is torch.strided and not item.is_meta:
                assert digests.contents_digest(item) == digests._contents_digest(item)


def outcome(take: Callable[[torch.Tensor], bytes], tensor: torch.Tensor) -> bytes | str:
    try:
        return take(tensor)
    except UnsupportedTensor as error:
        return error.reason


def test_without_it_the_digests_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    items: list[Item] = [torch.arange(20.0), b"label", None, torch.arange(12).reshape(3, 4).t(), torch.nn.Parameter()]
    expected = in_python(items)[0]
    monkeypatch.setattr(helper, "feed", None)
    whole = DigestBuilder()
    whole.all(items)
    assert whole.digest() == expected


@needs_helper
def test_freed_shrunk_and_moved_storages_are_never_read_beyond_their_end() -> None:
    order = random.Random(0)
    for _ in range(300):
        base = torch.arange(order.randrange(1, 3000), dtype=order.choice([torch.uint8, torch.float64]))
        start = order.randrange(base.numel())
        view = base[start:].view(-1)
        base.untyped_storage().resize_(order.randrange(base.untyped_storage().nbytes() + 1))
        assert outcome(digests.tensor_digest, view) == outcome(digests._tensor_digest, view)
        parameter = torch.nn.Parameter(torch.ones(order.randrange(1, 99)))
        assert helper.feed is not None
        assert helper.feed(xxh3_128().update, [parameter], 0) == 1
        parameter.data = torch.ones(order.randrange(1, 999))
        assert digests.tensor_digest(parameter) == digests._tensor_digest(parameter)
        parameter.untyped_storage().resize_(0)
        assert outcome(digests.tensor_digest, parameter) == outcome(digests._tensor_digest, parameter)


@needs_helper
def test_it_stops_at_what_is_not_plain_and_goes_on_behind_it() -> None:
    feed = helper.feed
    assert feed is not None
    strided = torch.arange(12).reshape(3, 4).t()
    items: list[Item] = [torch.ones(3), b"x", strided, torch.ones(2)]
    assert feed(xxh3_128().update, items, 0) == 2
    assert feed(xxh3_128().update, items, 3) == 4
    assert feed(xxh3_128().update, items, 4) == 4
    assert feed(xxh3_128().update, ["text"], 0) == 0  # type: ignore[list-item]


@needs_helper
def test_arguments_of_another_kind_end_no_process() -> None:
    feed = helper.feed
    assert feed is not None
    update = xxh3_128().update
    for arguments in ((update,), (update, (), 0), (update, [], -1), (update, [], "0"), (None, None, None)):
        assert feed(*arguments) == 0  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        feed(None, [torch.ones(3)], 0)  # type: ignore[arg-type]
    for other in (None, 3, "text", [], torch.ones):
        with pytest.raises((AttributeError, TypeError, UnsupportedTensor)):
            digests.tensor_digest(other)  # type: ignore[arg-type]


@needs_helper
def test_nothing_is_kept() -> None:
    tensor = torch.ones(10)
    before = sys.getrefcount(tensor), sys.getrefcount(tensor.untyped_storage())
    items: list[Item] = [tensor, None, b"x"] * 10
    for _ in range(200):
        digests.tensor_digest(tensor)
        digests.contents_digest(tensor)
        DigestBuilder().all(items)
    del items
    assert (sys.getrefcount(tensor), sys.getrefcount(tensor.untyped_storage())) == before


def test_without_the_library_or_what_it_needs_the_reason_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    take = digests._tensor_digest
    with pytest.raises(Unavailable, match="not built"):
        load(take, take, tmp_path / "none.so")
    broken = tmp_path / "broken.so"
    broken.write_bytes(b"no library")
    with pytest.raises(Unavailable):
        load(take, take, broken)
    if LIBRARY.is_file():
        monkeypatch.delattr(torch.Tensor, "__dlpack_c_exchange_api__", raising=False)
        with pytest.raises(Unavailable, match="newer"):
            load(take, take)


# Building it


@pytest.fixture(name="hook")
def _hook() -> ModuleType:
    pytest.importorskip("hatchling", reason="hatchling is not installed here")
    specification = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.fixture(name="tree")
def _tree(tmp_path: Path) -> Path:
    """What the sources of a package are."""
    tree = tmp_path / "tree"
    tree.mkdir()
    for name in ("hatch_build.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tree)
    shutil.copytree(ROOT / "reprocheck", tree / "reprocheck", ignore=shutil.ignore_patterns("__pycache__", "*.so"))
    return tree


def built(tree: Path, target: str, **environment: str) -> Path:
    command = [sys.executable, "-m", "hatchling", "build", "-t", target, "-d", "out"]
    done = subprocess.run(
        command, cwd=tree, env={**os.environ, **environment}, capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, done.stderr
    (made,) = (tree / "out").iterdir()
    return made


def test_a_wheel_has_the_library_where_there_is_a_compiler(hook: ModuleType, tree: Path) -> None:
    if not hook.compiler():
        pytest.skip("there is no C compiler here")
    wheel = built(tree, "wheel")
    assert f"-py3-none-{hook.platform_tag()}.whl" in wheel.name
    assert "reprocheck/worker/fingerprint/_native.so" in zipfile.ZipFile(wheel).namelist()


@pytest.mark.parametrize("compiler", ["false", "/no/such/compiler"])
def test_without_a_compiler_the_wheel_is_one_for_all(hook: ModuleType, tree: Path, compiler: str) -> None:
    wheel = built(tree, "wheel", CC=compiler)
    assert "-py3-none-any.whl" in wheel.name
    names = zipfile.ZipFile(wheel).namelist()
    assert not [name for name in names if name.endswith(".so")]
    assert "reprocheck/worker/fingerprint/native.py" in names
