"""LightningModules that train networks: the GAN of Algorithm 1 and a VAE.

May import: losses, networks, optim, core.
"""
