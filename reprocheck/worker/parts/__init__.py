"""Named parts of a run: the cells of a notebook, epochs that callbacks name."""
