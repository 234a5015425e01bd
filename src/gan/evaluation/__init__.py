"""Evaluation: samples compared with reference images by metrics, their records and tables.

May import: metrics, data, core.
"""
