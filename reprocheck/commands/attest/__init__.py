"""`reprocheck attest` and `reprocheck verify`: what an audit saw as an in-toto Statement, and whether that holds."""
