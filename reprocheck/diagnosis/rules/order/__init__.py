"""Orders that change: hashes, listings, addresses, completion."""
