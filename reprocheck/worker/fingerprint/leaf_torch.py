"""What modules, optimizers and tensors of torch hold, and what of it is the target's."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from reprocheck.worker.fingerprint.leaf_forms import below
from reprocheck.worker.fingerprint.leaf_objects import attributes_of


def optimizer_members(optimizer: Any) -> dict[str, Any]:
    """Attributes of an optimizer that torch does not give to every one."""
    return {
        name: item
        for name, item in attributes_of(optimizer).items()
        if name not in OF_OPTIMIZER and not name.startswith("_optimizer_")
    }


OF_OPTIMIZER = frozenset(
    {
        "_need_device_dtype_check_for_fused",
        "_numel_cache",
        "_opt_called",
        "_params",
        "_step_supports_amp_scaling",
        "_warned_capturable_if_run_uncaptured",
        "_zero_grad_profile_name",
        "defaults",
        "found_inf",
        "grad_scale",
        "param_groups",
        "state",
        "step",
    }
)

OF_MODULE = frozenset(
    {
        "_backward_hooks",
        "_backward_pre_hooks",
        "_buffers",
        "_compiled_call_impl",
        "_flat_weight_refs",
        "_flat_weights",
        "_forward_hooks",
        "_forward_hooks_always_called",
        "_forward_hooks_with_kwargs",
        "_forward_pre_hooks",
        "_forward_pre_hooks_with_kwargs",
        "_is_full_backward_hook",
        "_load_state_dict_post_hooks",
        "_load_state_dict_pre_hooks",
        "_modules",
        "_non_persistent_buffers_set",
        "_parameters",
        "_state_dict_hooks",
        "_state_dict_pre_hooks",
        "forward",
        "training",
    }
)

_HOOKS = ("_backward_hooks", "_backward_pre_hooks", "_forward_hooks", "_forward_pre_hooks")


def is_plain(value: Any) -> bool:
    """A number, a text, or a small container of them: what a layer is made with."""
    kind = type(value)
    if kind in (list, tuple):
        return len(value) <= 64 and all(is_plain(item) for item in value)
    if kind is dict:
        return len(value) <= 64 and all(type(key) is str and is_plain(item) for key, item in value.items())
    return value is None or kind in (bool, int, float, complex, str)


def is_tensor(value: Any) -> bool:
    torch: Any = sys.modules.get("torch")
    return hasattr(torch, "Tensor") and issubclass(type(value), torch.Tensor)


def gradient_of(tensor: Any) -> Any:
    """What backward passes left in a leaf of the graph; None for anything else."""
    torch: Any = sys.modules["torch"]
    try:
        with torch._C.DisableTorchFunctionSubclass():
            return tensor.grad if tensor.is_leaf else None
    except Exception:  # a wrapper that has none
        return None


def hooks_of(found: Mapping[str, Any]) -> dict[str, Any]:
    """The target's functions among the attributes of a module: they change what it computes."""
    hooks: dict[str, Any] = {key: list(found[key].values()) for key in _HOOKS if found.get(key)}
    if callable(found.get("forward")):
        hooks["forward"] = found["forward"]
    return hooks


def inner_tensors(value: Any) -> list[str]:
    """Names of the inner tensors of a wrapper: they are in its digest."""
    if not hasattr(type(value), "__tensor_flatten__"):
        return []
    return list(value.__tensor_flatten__()[0])


def module_state(value: Any, parts: list[tuple[str, Any]]) -> Mapping[str, Any]:
    """All that `state_dict` gives, and the buffers that it leaves out."""
    torch: Any = sys.modules["torch"]
    base = torch.nn.Module
    named: dict[str, Any] = dict(value.named_parameters(remove_duplicate=False))
    named.update(value.named_buffers(remove_duplicate=False))
    named = {name.removeprefix("_orig_mod."): tensor for name, tensor in named.items()}
    for name, part in parts:
        if type(part).get_extra_state is not base.get_extra_state:
            named[below(name, "_extra_state")] = part.get_extra_state()
    own = type(value).state_dict is not base.state_dict or any(
        part._state_dict_hooks or type(part)._save_to_state_dict is not base._save_to_state_dict for _, part in parts
    )
    if own and not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        for name, item in value.state_dict().items():
            named.setdefault(name.removeprefix("_orig_mod."), item)
    return named
