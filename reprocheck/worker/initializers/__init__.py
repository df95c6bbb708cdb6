"""Initial weights: from the values of a tensor to the initialiser that drew them."""
