"""Serving: one process with the dashboard and the frames that it draws."""
