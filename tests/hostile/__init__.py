"""Targets that nobody would write on purpose, and some would: what an audit must never do with them."""
