"""Doors in: whatever is given, as a stream of candidates and refusals, and the report of what became of them."""
