"""Generative Adversarial Nets (Goodfellow et al., 2014) with PyTorch Lightning and Hydra.

From Python: ``gan.train``, ``gan.open_run``, ``gan.sample``, ``gan.evaluate``, ``gan.plot``,
``gan.export``, ``gan.report``; see :mod:`gan.app.api`.
This module imports nothing heavy, so that ``--help`` and tab completion need not wait for torch.
"""

from typing import Any

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """The functions of :mod:`gan.app.api`, imported at their first use."""
    if name.startswith("_"):  # names that Python itself looks up
        raise AttributeError(name)
    from importlib import import_module

    api = import_module("gan.app.api")
    if name not in api.__all__:
        raise AttributeError(f"module 'gan' has no attribute '{name}'; it has {', '.join(api.__all__)}")
    return getattr(api, name)
