"""`reprocheck selftest`: planted defects that must be found."""
