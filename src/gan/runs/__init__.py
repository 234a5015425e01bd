"""A run: its configuration, checkpoints and folder, and the objects that these describe.

May import: methods, metrics, data and below.
"""
