"""What is seen beside a cause, or where nothing differs."""
