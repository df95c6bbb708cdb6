"""`reprocheck bisect`: which commits of a range changed the results."""
