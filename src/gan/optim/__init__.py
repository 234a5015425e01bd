"""Optimizers and schedules that torch lacks.

May import: core.
"""
