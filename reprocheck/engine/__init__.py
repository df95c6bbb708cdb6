"""Runs: folders, processes, templates, progress. The only rooms with side effects are this one and the worker."""
