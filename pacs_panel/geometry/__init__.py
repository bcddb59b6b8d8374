"""Where voxels are: pure NumPy, from the numbers of headers to affines, stacks, passports and planes."""
