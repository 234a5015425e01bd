"""Samples compared with reference images: metrics, their records and tables.

May import: metrics, data, core.
"""
