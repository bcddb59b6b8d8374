"""The Cohorts page: selections that were frozen, what is in them, and what changed since."""
