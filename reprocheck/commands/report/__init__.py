"""`reprocheck report`: kept audits, looked at again."""
