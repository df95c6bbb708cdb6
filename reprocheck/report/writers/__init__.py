"""Document → text: a module a format. What comes from outside is made harmless here, and nowhere else."""
