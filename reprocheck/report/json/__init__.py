"""The JSON report (schema 1) of an audit, part by part."""
