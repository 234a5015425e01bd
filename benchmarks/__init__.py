"""Benchmarks, run by hand: ``python -m benchmarks.NAME --help``. Every claim about speed is a ratio from one call."""
