"""The Pull page: what peers have, and what of it comes here."""
