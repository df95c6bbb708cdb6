"""Seeds and generators."""
