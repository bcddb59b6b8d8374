"""What lies over an image: label maps, contours, dose."""
