"""The parts of an explanation: rounds, what remains, the answer."""
