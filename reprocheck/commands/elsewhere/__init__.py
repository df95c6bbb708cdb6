"""--engine: runs, or a whole command, on machines that somebody else's scheduler gives us."""
