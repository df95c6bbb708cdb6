"""`reprocheck fix`: writes the changed lines that an audit tried, and audits again."""
