"""Trainings with one or two known causes each: are the causes that an audit names the true ones?"""

MEASURED = """\
2026-11-28, two cores shared with other work. Causes named, by confidence, in 41 of the 199 pairs, the latest result of
each, some of them from before the last corrections:

confidence         right  wrong line       wrong
high                  54           0           0
medium                15           0           0
low                    1           0           1

All 41 were told to differ. 12 of their 82 causes were missed; one of these reports did not say that other causes may
remain (a sum over a set beside a file in the temporary folder), which is mended. The wrong one: memory that nobody
filled beside a sum over a set. The other pairs were not run yet: `make pairs`.
"""
