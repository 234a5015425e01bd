"""Searches with Optuna: the sweeper's loop, its search space and its study.

May import: runs and below. Optuna is imported inside functions, because it is an extra.
"""
