"""DICOMweb (PS3.18): what others ask for and send over HTTP."""
