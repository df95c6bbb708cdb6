"""What is seen next to a cause, or where nothing differs."""
