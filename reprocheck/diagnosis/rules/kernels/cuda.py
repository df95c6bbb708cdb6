"""What the rules for CUDA share: which operations have no deterministic implementation there."""

from __future__ import annotations

import re

from reprocheck.diagnosis.rules.candidate_lines import on_cuda
from reprocheck.model.explanation import Case, Remedy

CUDNN_DETERMINISTIC = Remedy(text="--cudnn-deterministic", settings=(("cudnn_deterministic", True),), cost=2)
CUDNN_NO_BENCHMARK = Remedy(text="--no-cudnn-benchmark", settings=(("cudnn_benchmark", False),), cost=1)
CUBLAS_WORKSPACE = Remedy(
    text="CUBLAS_WORKSPACE_CONFIG=:4096:8", environment=(("CUBLAS_WORKSPACE_CONFIG", ":4096:8"),), cost=2
)

ATOMIC = {
    "scatter_add_", "scatter_add", "scatter_reduce", "scatter_reduce_", "index_add_", "index_add", "index_put_",
    "_index_put_impl_", "index_put", "put_", "bincount", "histc", "kthvalue", "median", "cumsum", "cumsum_",
    "_embedding_bag", "_embedding_bag_dense_backward", "embedding_dense_backward", "_ctc_loss_backward",
    "nll_loss2d_forward", "nll_loss2d_backward", "max_unpool2d", "max_unpool3d", "resize_", "index_copy",
    "index_copy_", "masked_scatter_", "_histogramdd_from_bin_cts", "adaptive_max_pool2d_backward",
    "_adaptive_avg_pool2d_backward", "_adaptive_avg_pool3d_backward", "avg_pool3d_backward",
    "fractional_max_pool2d_backward", "fractional_max_pool3d_backward", "max_pool3d_with_indices_backward",
    "segment_reduce", "_segment_reduce_backward", "take_backward", "gather_backward", "repeat_interleave",
}  # fmt: skip
"""PyTorch: torch.use_deterministic_algorithms lists them; backward of gather, take and embedding are among them."""
INTERPOLATION = {
    "upsample_linear1d_backward", "upsample_bilinear2d_backward", "upsample_bicubic2d_backward",
    "upsample_trilinear3d_backward", "_upsample_bilinear2d_aa_backward", "_upsample_bicubic2d_aa_backward",
    "grid_sampler_2d_backward", "grid_sampler_3d_backward", "reflection_pad1d_backward",
    "reflection_pad2d_backward", "reflection_pad3d_backward", "replication_pad1d_backward",
    "replication_pad2d_backward", "replication_pad3d_backward",
}  # fmt: skip
CONVOLUTIONS = {
    "convolution", "_convolution", "cudnn_convolution", "cudnn_convolution_transpose", "convolution_backward",
    "cudnn_convolution_relu", "miopen_convolution",
}  # fmt: skip
MATMULS = {"mm", "addmm", "bmm", "baddbmm", "matmul", "linear", "addmv", "mv", "dot", "_scaled_mm", "addbmm"}
RNNS = {"_cudnn_rnn", "_cudnn_rnn_backward", "_thnn_fused_lstm_cell", "_thnn_fused_lstm_cell_backward"}
ATTENTIONS = {
    "_flash_attention_backward", "_scaled_dot_product_flash_attention_backward", "_efficient_attention_backward",
    "_scaled_dot_product_efficient_attention_backward", "_scaled_dot_product_cudnn_attention_backward",
}  # fmt: skip

_WARNED = re.compile(r"^\s*'?([A-Za-z_0-9]+)'? does not have a deterministic implementation")


def warned_of(case: Case, names: set[str]) -> str:
    """An operation of these that PyTorch itself warned of, in its deterministic mode; empty for none."""
    for warning in case.warnings if on_cuda(case) else ():
        found = _WARNED.match(warning)
        if found and found[1].removesuffix("_cuda").removesuffix("_cuda_out") in names | _without_underscore(names):
            return found[1]
    return ""


def _without_underscore(names: set[str]) -> set[str]:
    return {name.strip("_") for name in names}
