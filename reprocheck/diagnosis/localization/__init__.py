"""The first operation that differs between two traces, and where its input came from."""
