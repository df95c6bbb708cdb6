"""What reprocheck costs, measured beside plain runs and beside what does a part of its work. `python -m benchmarks`."""
