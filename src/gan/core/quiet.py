"""Suppresses Lightning's messages that do not concern the user."""

import logging
import warnings


def quiet() -> None:
    """Hides Lightning's general hints and three of its warnings."""
    for name in ("pytorch_lightning", "lightning_fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    # Lightning 2.6 with torch 2.10 and later: a deprecation in Lightning's own code.
    warnings.filterwarnings("ignore", message=r".*isinstance\(treespec, LeafSpec\).*")
    # Under 16-mixed the first steps are skipped until the gradient scale fits.
    warnings.filterwarnings("ignore", message=r"Detected call of `lr_scheduler.step\(\)` before `optimizer.step\(\)`")
    # The names of scalars in MLflow: Dx for D(x), DGz for D(G(z)).
    warnings.filterwarnings("ignore", message=r"MLFlow only allows")
