"""Ranks of a run, seen from the process that started it."""
