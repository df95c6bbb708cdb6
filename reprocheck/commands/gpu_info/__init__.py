"""`reprocheck gpu-info`: CUDA devices and memory."""
