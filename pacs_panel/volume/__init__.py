"""Kept objects to volumes in OME-Zarr, and volumes to xarray, to a viewer's frames, and to files."""
