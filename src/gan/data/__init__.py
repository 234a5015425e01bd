"""Data sources: one LightningDataModule per data set, with a common base class that stores and shuffles the images.

May import: core.
"""
