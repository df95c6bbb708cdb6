"""`reprocheck collect`: the runs of a plan that are there, judged."""
