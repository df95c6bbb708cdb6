"""Two runs beside each other: steps, tensors, files, metrics, and the verdict."""
