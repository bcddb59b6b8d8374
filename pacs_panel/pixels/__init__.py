"""Pixels: one frame's bytes to an array, stored values to physical ones, and to pictures."""
