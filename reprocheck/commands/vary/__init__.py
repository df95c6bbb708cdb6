"""`reprocheck vary`: what the result depends on, each thing varied by itself and all of them together."""
