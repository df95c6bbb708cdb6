"""What is observed in a run: models, steps, layers, memory, checkpoints, child processes."""
