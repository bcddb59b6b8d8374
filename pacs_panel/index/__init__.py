"""What is kept, where, in which revision; and searching it."""
