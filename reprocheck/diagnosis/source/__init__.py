"""What the user's source shows: generators, orders, clocks, memory, parallel code."""
