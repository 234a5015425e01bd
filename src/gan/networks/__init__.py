"""Generators, discriminators, encoders and latents: one file per family of architectures.

May import: core.
"""
