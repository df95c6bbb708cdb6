"""The second half of an audit: attribute → localize → diagnose → try fixes."""
