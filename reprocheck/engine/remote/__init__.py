"""Commands of ours that are run by other people's schedulers."""
