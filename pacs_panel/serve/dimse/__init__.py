"""The DICOM listener: who may call (`peers`), what is answered (`status`), and what is stored (`storing`)."""
