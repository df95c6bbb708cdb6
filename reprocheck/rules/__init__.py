"""Causes of irreproducible training: one file a rule. Never imports torch."""

from reprocheck.rules.registry import diagnose, find_page, nearest, pages, remedies

__all__ = ["diagnose", "find_page", "nearest", "pages", "remedies"]
