"""`reprocheck cost`: what each determinism setting costs, and whether the training reproduces under it."""
