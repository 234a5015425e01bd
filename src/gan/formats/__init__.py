"""A trained generator as files for other programs: one class per format.

May import: figures and everything below.
"""
