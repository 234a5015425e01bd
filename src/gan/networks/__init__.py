"""Generators and discriminators, one file per family of architectures."""
