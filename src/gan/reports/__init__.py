"""Reports: one HTML page about the runs of a sweep. Reading and writing it does not import torch.

May import: evaluation, runs and below.
"""
