"""Two saved audits, or baselines, side by side: read as data, from whatever machine."""
