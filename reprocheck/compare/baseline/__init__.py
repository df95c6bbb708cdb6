"""Runs as they were written down once, to compare later runs with: small enough to commit, plain enough to review."""
