"""The ledger of sources of nondeterminism: clocks, generators, orders, files, and who called them."""
