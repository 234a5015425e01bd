"""The commands train, evaluate and sample, and their command line.

May import: everything.
"""
