"""Errors, random numbers, batches, files and hardware capabilities.

May import: nothing of this project.
"""
