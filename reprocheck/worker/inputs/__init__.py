"""What a run takes in: files, folders, modules, environment."""
