"""What PyTorch itself says of operations whose result may differ between runs. Pure."""

from __future__ import annotations

from reprocheck.evidence.trace_file import Event, Form

_FLOATS = ("float", "bfloat", "complex")

_ANYWHERE = {
    "_index_put_impl_": "adds values of the same index in the order in which threads reach them, if it accumulates",
    "index_put_": "adds values of the same index in the order in which threads reach them, if it accumulates",
    "index_put": "adds values of the same index in the order in which threads reach them, if it accumulates",
    "put_": "writes values of the same index in the order in which threads reach them",
    "put": "writes values of the same index in the order in which threads reach them",
    "linalg_lstsq": "solves with LAPACK's default driver, whose result may depend on memory alignment",
    "empty": "gives memory as it was found",
    "empty_like": "gives memory as it was found",
    "empty_strided": "gives memory as it was found",
    "empty_permuted": "gives memory as it was found",
    "new_empty": "gives memory as it was found",
    "new_empty_strided": "gives memory as it was found",
    "resize_": "gives memory as it was found where the tensor grows",
}

_ON_CUDA = frozenset(
    """
    _adaptive_avg_pool2d_backward _adaptive_avg_pool3d_backward _cdist_backward _ctc_loss_backward
    _embedding_bag_dense_backward _histogramdd_from_bin_cts _scaled_dot_product_efficient_attention_backward
    _scaled_dot_product_flash_attention_backward adaptive_max_pool2d_backward avg_pool3d_backward bincount cumsum
    embedding_bag embedding_dense_backward fractional_max_pool2d_backward fractional_max_pool3d_backward gather_backward
    grid_sampler_2d_backward grid_sampler_3d_backward histc index_add index_add_ index_copy index_reduce kthvalue
    max_pool3d_with_indices_backward max_unpool2d max_unpool3d median nll_loss2d_forward put_ reflection_pad1d_backward
    reflection_pad2d_backward reflection_pad3d_backward replication_pad1d_backward replication_pad2d_backward
    replication_pad3d_backward scatter_add scatter_add_ scatter_reduce upsample_bicubic2d_backward
    upsample_bilinear2d_backward upsample_linear1d_backward upsample_trilinear3d_backward
    """.split()  # noqa: SIM905
)
"""Those that torch.use_deterministic_algorithms replaces or refuses there."""


def deterministic_note(event: Event, form: Form) -> str:
    """What is known of an operation that gave two results; empty when nothing is."""
    name = event.op.rsplit("::", 1)[-1]
    if name in _ANYWHERE:
        dtype = f"{form.dtype} " if form.dtype.startswith(_FLOATS) and "memory" not in _ANYWHERE[name] else ""
        return f"{dtype}{name} {_ANYWHERE[name]}"
    if form.device == "cuda" and name in _ON_CUDA:
        return f"{name} on CUDA adds in the order in which threads come, unless deterministic algorithms are on"
    if "nondeterministic_seeded" in event.tags:
        return f"{name} draws random numbers"
    if "nondeterministic_bitwise" in event.tags:
        return f"PyTorch marks {name} as not reproducible bit for bit"
    return ""
