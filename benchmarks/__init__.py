"""Measurements behind docs/benchmarks.md: `python -m benchmarks NAME`, or all without a name."""
