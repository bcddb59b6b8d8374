"""What people see: one state, sources of frames, and small viewers that each work alone."""
