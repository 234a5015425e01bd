"""Optimizers, schedules and the EMA of weights.

May import: core.
"""
