"""The commands: train, evaluate, sample, and their command line.

May import: everything.
"""
