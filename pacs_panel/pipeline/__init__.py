"""The pipeline: plain functions that join the stages, and that any worker can run."""
