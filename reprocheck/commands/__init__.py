"""The commands: each from its options to an answer."""
