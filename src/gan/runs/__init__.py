"""Runs: configuration, checkpoints and folder, and the objects built from them.

May import: methods, metrics, data and below.
"""
