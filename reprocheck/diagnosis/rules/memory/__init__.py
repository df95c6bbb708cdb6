"""Uninitialized memory."""
