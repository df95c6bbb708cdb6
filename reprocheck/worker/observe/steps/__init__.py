"""Optimizer steps: what each read and left behind, as digests."""
