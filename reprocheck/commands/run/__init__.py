"""`reprocheck run`: audit, revision, baseline, gate."""
