"""The image viewer: JavaScript that draws, and the Python that feeds it."""
