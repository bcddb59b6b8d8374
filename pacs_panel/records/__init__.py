"""What people add and decide: it cannot be made anew from what is kept, so it is backed up."""
