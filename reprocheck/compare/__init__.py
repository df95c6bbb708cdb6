"""Two runs compared: steps, tensors, files, metrics, and the verdict."""
