"""The instruction set that kernels are chosen for: one machine stands in for older ones."""

from __future__ import annotations

from reprocheck.commands.vary.model import Change, Facts, InForce, Variation
from reprocheck.worker.bootstrap.machine import numpy_features

_LEVELS = ("DEFAULT", "AVX2", "AVX512")


def _capability(word: str, emulates: str) -> Variation:
    def why_not(facts: Facts) -> str:
        here = str(facts.manifest.get("cpu_capability"))
        if here not in _LEVELS:
            return f"the kernels of this processor ({here}) are not chosen by ATEN_CPU_CAPABILITY"
        if _LEVELS.index(here) <= _LEVELS.index(word.upper()):
            return f"the control uses {here} already"
        return ""

    def not_in_force(seen: InForce) -> str:
        used = str(seen.manifest.get("cpu_capability"))
        return "" if used == word.upper() else f"PyTorch used {used}"

    return Variation(
        name=f"cpu-{word}",
        group="cpu-capability",
        emulates=emulates,
        change=Change(environment=(("ATEN_CPU_CAPABILITY", word),)),
        why_not=why_not,
        not_in_force=not_in_force,
    )


def _needs_onednn(facts: Facts) -> str:
    return "" if facts.settings.get("mkldnn") else "oneDNN is not in use here"


def _onednn(word: str, emulates: str, above: tuple[str, ...]) -> Variation:
    def why_not(facts: Facts) -> str:
        here = str(facts.manifest.get("cpu_capability"))
        return _needs_onednn(facts) or ("" if here in above else f"this processor offers no more ({here})")

    return Variation(
        name=f"onednn-{word.lower().replace('_', '')}",
        group="onednn-isa",
        emulates=emulates,
        change=Change(environment=(("ONEDNN_MAX_CPU_ISA", word),)),
        why_not=why_not,
    )


def _no_mkl(facts: Facts) -> str:
    return "" if facts.manifest.get("mkl") else "this PyTorch was built without MKL"


def _mkl(word: str, emulates: str) -> Variation:
    return Variation(
        name=f"mkl-{word.lower().replace(',', '-')}",
        group="mkl",
        emulates=emulates,
        change=Change(environment=(("MKL_CBWR", word),)),
        why_not=_no_mkl,
    )


def _numpy(name: str, emulates: str, newest: bool) -> Variation:
    """NumPy chooses its loops when it is imported: sorts of equal keys, sums and exp come out otherwise."""
    off = tuple(one for one in numpy_features() if not newest or one.startswith(("AVX512", "X86_V4")))

    def why_not(facts: Facts) -> str:
        if facts.manifest.get("numpy") is None:
            return "the training does not import numpy"
        return "" if off else "numpy uses no such instructions here"

    def not_in_force(seen: InForce) -> str:
        used = [one for one in seen.manifest.get("numpy_features") or () if one in off]
        return f"numpy used {', '.join(used)}" if used else ""

    return Variation(
        name=name,
        group="numpy-simd",
        emulates=emulates,
        change=Change(environment=(("NPY_DISABLE_CPU_FEATURES", " ".join(off)),) if off else ()),
        why_not=why_not,
        not_in_force=not_in_force,
    )


VARIATIONS = (
    _numpy("numpy-avx2", "a processor without AVX-512 (numpy)", newest=True),
    _numpy("numpy-baseline", "the oldest processor that this numpy runs on", newest=False),
    _capability("avx2", "a processor without AVX-512 (PyTorch's own kernels)"),
    _capability("default", "a processor without AVX2 (PyTorch's own kernels)"),
    _onednn("AVX2", "a processor without AVX-512 (convolutions and matrix products of oneDNN)", ("AVX512",)),
    _onednn("SSE41", "an old processor (oneDNN)", ("AVX512", "AVX2")),
    _mkl("COMPATIBLE", "any processor, also of another maker (MKL)"),
    _mkl("AVX2", "a processor without AVX-512 (MKL)"),
)
