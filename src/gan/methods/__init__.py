"""LightningModules that train networks, Algorithm 1 first, and CUDA graphs of their steps.

May import: losses, networks, optim, core.
"""
