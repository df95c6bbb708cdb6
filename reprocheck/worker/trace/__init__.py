"""The trace of operations of a run."""
