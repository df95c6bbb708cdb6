"""`reprocheck plan` and `reprocheck worker`: runs that are planned here and made anywhere."""
