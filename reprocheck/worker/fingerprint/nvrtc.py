"""Compile a CUDA kernel in this process and start it: NVRTC comes with PyTorch, the rest is in the driver.

Nothing is written, no compiler is started and torch's state is left alone; a target must not notice.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

Handle = ctypes.c_void_p


class CudaError(Exception):
    """A call of NVRTC or of the driver failed."""


def load(source: str, name: str, capability: tuple[int, int]) -> Callable[[int, int, int, Sequence[int]], None]:
    """The kernel of this name, in the context of the current device.

    It is called with the number of blocks, threads in each, the handle of a stream, and 64-bit arguments. Raises
    CudaError, or OSError where a library is missing.
    """
    driver = ctypes.CDLL("libcuda.so.1")
    module, kernel = Handle(), Handle()
    binary = _compiled(source, f"--gpu-architecture=sm_{capability[0]}{capability[1]}")
    _check("cuModuleLoadData", driver.cuModuleLoadData(ctypes.byref(module), binary))
    _check("cuModuleGetFunction", driver.cuModuleGetFunction(ctypes.byref(kernel), module, name.encode()))

    def start(blocks: int, threads: int, stream: int, arguments: Sequence[int]) -> None:
        values = [ctypes.c_uint64(argument) for argument in arguments]
        places = (Handle * len(values))(*(ctypes.addressof(word) for word in values))
        shape = (ctypes.c_uint(blocks), 1, 1, ctypes.c_uint(threads), 1, 1, 0)
        _check("cuLaunchKernel", driver.cuLaunchKernel(kernel, *shape, Handle(stream), places, None))

    return start


def _compiled(source: str, architecture: str) -> bytes:
    nvrtc = _nvrtc()
    program, size = Handle(), ctypes.c_size_t()
    _check("nvrtcCreateProgram", nvrtc.nvrtcCreateProgram(ctypes.byref(program), source.encode(), None, 0, None, None))
    try:
        options = (ctypes.c_char_p * 1)(architecture.encode())
        if nvrtc.nvrtcCompileProgram(program, 1, options):
            raise CudaError(f"NVRTC cannot compile for {architecture}: {_log(nvrtc, program)}")
        _check("nvrtcGetCUBINSize", nvrtc.nvrtcGetCUBINSize(program, ctypes.byref(size)))
        binary = ctypes.create_string_buffer(size.value)
        _check("nvrtcGetCUBIN", nvrtc.nvrtcGetCUBIN(program, binary))
        return binary.raw
    finally:
        nvrtc.nvrtcDestroyProgram(ctypes.byref(program))


def _log(nvrtc: Any, program: Handle) -> str:
    size = ctypes.c_size_t()
    nvrtc.nvrtcGetProgramLogSize(program, ctypes.byref(size))
    log = ctypes.create_string_buffer(max(1, size.value))
    nvrtc.nvrtcGetProgramLog(program, log)
    return log.value.decode("utf-8", "replace")[:500]


def _nvrtc() -> ctypes.CDLL:
    errors = []
    for name in _names(str(torch.version.cuda).partition(".")[0]):
        try:
            return ctypes.CDLL(name)
        except OSError as error:
            errors.append(error)
    raise errors[0]


def _names(major: str) -> Iterator[str]:
    yield f"libnvrtc.so.{major}"
    for folder in (Path(torch.__file__).parents[1] / "nvidia", Path(torch.__file__).parent / "lib"):
        yield from (str(path) for path in sorted(folder.glob(f"**/libnvrtc.so.{major}*")))
    yield "libnvrtc.so"


def _check(call: str, code: int) -> None:
    if code:
        raise CudaError(f"{call} failed with code {code}")
