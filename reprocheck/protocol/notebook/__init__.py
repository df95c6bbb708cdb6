"""Notebooks as source text: their cells, and what of IPython in them is Python."""
