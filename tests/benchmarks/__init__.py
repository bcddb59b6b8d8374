"""Benchmarks: each runs a peer, or a limit of the machine, beside us, and states the ratio. Nothing fails on time."""
