"""Races of threads and processes."""
