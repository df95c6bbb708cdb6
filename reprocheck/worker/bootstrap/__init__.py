"""The start of a run: flags, overrides, seeds, the target's code, forks of a template."""
