"""DICOMweb (PS3.18): plain routes of the application."""
