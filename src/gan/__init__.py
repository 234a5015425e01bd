"""Generative Adversarial Nets (Goodfellow et al., 2014) with PyTorch Lightning and Hydra.

Nothing heavy is imported here: ``--help`` and tab completion must not wait for torch.
"""

__version__ = "0.1.0"
