"""Ours beside its peers on the same work: the same networks, the same weights, one interleaved run. `python -m benchmarks`."""
