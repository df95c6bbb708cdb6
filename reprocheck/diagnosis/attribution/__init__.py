"""What a difference depends on, found by experiments."""
