"""The collectives of a traced run, one line each: what went in before it, and what its tensors held once it was done.

`collectives.jsonl` has a line with what goes in as soon as a collective begins, and one with what came out, by the
number of the first.
"""

COLLECTIVES_FILE = "collectives.jsonl"
BEGUN, DONE = "begun", "done"
MOST_COLLECTIVES = 200_000
"""That a run writes down."""
MOST_TENSORS = 512
"""Of one collective that are looked at one by one."""
UNREAD = "unread"
"""In the place of a digest."""
