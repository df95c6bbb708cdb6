"""reprocheck: audit whether a PyTorch training reproduces."""

__version__ = "0.1.0"
