"""Storage: where everything lies, and how it is written so that nothing is half there."""
