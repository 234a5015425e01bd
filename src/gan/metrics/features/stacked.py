"""A packaged classifier applied to each channel of an image; a class is a combination of the channels' classes."""

from functools import reduce
from types import SimpleNamespace

from torch import Tensor

from gan.core.errors import UserError
from gan.metrics.features.base import FeatureExtractor, View
from gan.metrics.features.classifier import Shipped


class Stacked(FeatureExtractor):
    """Concatenated features of all channels; the probability of a combination is the product of its channels'.

    With three channels of MNIST digits there are 3 · 128 features and the 1,000 classes 100 a + 10 b + c of
    ``data=stacked_mnist`` (Metz et al. 2017, "Unrolled generative adversarial networks", section 3.3.1).

    Args:
        of: the data set of gray images that the classifier was trained on, ``mnist`` or ``digits``.
        channels: number of channels of the images, at least 1.
    """

    def __init__(self, of: str, channels: int = 3) -> None:
        super().__init__()
        self.one, self.channels = Shipped(of), channels
        self.name = f"{self.one.name} on each of {channels} channels"

    def prepare(self, data) -> None:
        if data.channels != self.channels:
            raise UserError(
                f"features=stacked_mnist expects images with {self.channels} channels, the data's have "
                f"{data.channels}; take features=trained, pixels or inception."
            )
        self.one.prepare(SimpleNamespace(channels=1, image_size=data.image_size))

    def forward(self, images: Tensor) -> View:
        view = self.one(images.flatten(0, 1).unsqueeze(1))  # of (B · C, 1, H, W)
        features = view.features.unflatten(0, (-1, self.channels)).flatten(1)  # (B, C · 128)
        return View(features, joint(view.log_probabilities.unflatten(0, (-1, self.channels))))


def joint(log_probabilities: Tensor) -> Tensor:
    """Log-probabilities (B, C, K) of C independent variables to those of all K^C combinations, (B, K^C).

    The first variable is the most significant digit of a combination's index.
    """
    return reduce(lambda a, b: (a[:, :, None] + b[:, None]).flatten(1), log_probabilities.unbind(1))
