"""Causes of irreproducible training: one file a rule. Never imports torch.

A rule is a page (code, cause, texts) and a pure function from a Case to a Match. To add one: write its file in the
folder of its family (that is how it is found), give it a case and a near miss in tests/support/rule_cases.py, and run
`make docs`. A code is never renumbered and never used again.
"""

from reprocheck.diagnosis.rules.registry import diagnose, examine, find_page, nearest, pages, remedies

__all__ = ["diagnose", "examine", "find_page", "nearest", "pages", "remedies"]
