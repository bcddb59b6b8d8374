"""Objects that speak of images: segmentations, structures, doses, and documents."""
