"""What goes on in the archive, on a page."""
