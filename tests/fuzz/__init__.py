"""The fuzzer: odd choices, numbers, files and moments. Each ends in one line or in the right result.

`python -m pytest tests/fuzz` runs a small, fixed part. FUZZ sets the number of examples of each test, `all` takes every
pair, key and moment that there is; FUZZ_SEED chooses others.
"""
