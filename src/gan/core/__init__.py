"""Errors, random numbers, quiet third parties and what the hardware computes fast.

May import: nothing of this project.
"""
