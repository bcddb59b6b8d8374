"""Sending files into the archive from a page."""
