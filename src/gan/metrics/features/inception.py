"""Inception v3 as used for published Fréchet distances."""

import logging

import torch
from torch import Tensor

from gan.core.errors import UserError, one_line
from gan.metrics.features.base import FeatureExtractor, View

log = logging.getLogger(__name__)


class Inception(FeatureExtractor):
    """The pool features (2,048) and the class probabilities (1,008) of TensorFlow's Inception of 2015.

    The network is that of torch-fidelity, which Torchmetrics uses too; its weights (95 MB) are downloaded at the first
    use. Its features are meaningful only for photographs. Gray images are repeated over three channels.

    Args:
        weights: a local file with the weights; None to download them.
    """

    name, ready = "inception-v3-compat", False

    def __init__(self, weights: str | None = None) -> None:
        super().__init__()
        self.weights = weights
        self.net: torch.nn.Module | None = None

    def prepare(self, data) -> None:
        if self.net is not None:
            return
        try:
            from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
        except ImportError as error:
            raise UserError(
                "features=inception needs the package torch-fidelity: pip install torch-fidelity; "
                "features=trained and features=pixels need nothing more."
            ) from error
        try:
            if self.weights:  # torch-fidelity unpickles any object in the file; this call refuses all but tensors
                torch.load(self.weights, map_location="cpu", weights_only=True)
            self.net = FeatureExtractorInceptionV3(
                self.name, ["2048", "logits_unbiased"], feature_extractor_weights_path=self.weights
            )
        except Exception as error:  # any error of urllib, torch.hub or pickle
            tried = f"read from {self.weights}" if self.weights else "fetched"
            raise UserError(
                f"features=inception: its weights could not be {tried} "
                f"({one_line(error)[:150]}). Give a file with them as features.weights=FILE, or take features=trained."
            ) from error
        self.net.eval().requires_grad_(False)

    def forward(self, images: Tensor) -> View:
        levels = images.mul(255).round().clamp(0, 255).to(torch.uint8)
        features, logits = self.net(levels.expand(-1, 3, -1, -1) if levels.shape[1] == 1 else levels)
        return View(features.float(), logits.float().log_softmax(1))
