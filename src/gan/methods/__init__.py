"""LightningModules that train networks: Algorithm 1 first.

May import: losses, networks, optim, core.
"""
