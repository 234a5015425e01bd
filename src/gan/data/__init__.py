"""Sources of images: one LightningDataModule per kind, one base that holds and shuffles them.

May import: core.
"""
