"""Silence where Lightning speaks to everyone."""

import logging
import warnings


def quiet() -> None:
    """Leaves out what Lightning says to everyone and means nobody."""
    for name in ("pytorch_lightning", "lightning_fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    # Lightning 2.6 with torch 2.10 and later: about Lightning's own code.
    warnings.filterwarnings("ignore", message=r".*isinstance\(treespec, LeafSpec\).*")
    # Under 16-mixed the first steps are left out until the gradients' scale fits.
    warnings.filterwarnings("ignore", message=r"Detected call of `lr_scheduler.step\(\)` before `optimizer.step\(\)`")
