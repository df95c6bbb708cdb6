"""Options: what the user may write, how it is checked, and the target's syntax."""
