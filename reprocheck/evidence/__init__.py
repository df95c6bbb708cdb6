"""Readers of what a run left."""
