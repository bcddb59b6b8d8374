"""The Compare page: several series side by side, at one place, through one window."""
