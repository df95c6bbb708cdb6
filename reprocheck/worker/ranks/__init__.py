"""Processes that a run starts, and that are ranks of a distributed training: each is observed as the run itself is."""
