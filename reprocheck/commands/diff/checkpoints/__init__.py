"""`reprocheck diff` of two checkpoints: tensors by name and value, in any container. Nothing in them is executed."""
