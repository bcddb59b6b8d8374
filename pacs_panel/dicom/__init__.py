"""DICOM objects as bytes: their headers, character sets, kinds, digests and meaning."""
