"""`reprocheck doctor`: one short run of a training, looked at from all sides."""
