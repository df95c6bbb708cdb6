"""The text report of an audit, part by part."""
