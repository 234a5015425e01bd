"""Speed and what it costs, run by hand: ``python -m benchmarks.NAME --help``. Every claim is a ratio from one call."""
