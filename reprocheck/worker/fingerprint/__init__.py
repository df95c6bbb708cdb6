"""Digests of tensors and values, on the host and on a CUDA device."""
