"""Errors, random numbers, batches, files and what the hardware computes fast.

May import: nothing of this project.
"""
