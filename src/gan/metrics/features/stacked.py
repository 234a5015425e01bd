"""A shipped classifier that looks at each channel of an image: classes are all combinations of its own."""

from functools import reduce
from types import SimpleNamespace

from torch import Tensor

from gan.core.errors import UserError
from gan.metrics.features.base import FeatureExtractor, View
from gan.metrics.features.classifier import Shipped


class Stacked(FeatureExtractor):
    """Features of all channels side by side; the probabilities of a combination are the product of its channels'.

    With three channels of MNIST's digits that is 3 · 128 features and the 1,000 classes 100 a + 10 b + c of
    ``data=stacked_mnist`` (Metz et al. 2017, "Unrolled generative adversarial networks", section 3.3.1).

    Args:
        of: the data set of grey images that the classifier was trained on, ``mnist`` or ``digits``.
        channels: of the images, at least 1.
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
    """Of C independent choices among K, (B, C, K), the log-probabilities of all K^C combinations, (B, K^C).

    The first choice is the most significant digit of a combination's number.
    """
    return reduce(lambda a, b: (a[:, :, None] + b[:, None]).flatten(1), log_probabilities.unbind(1))
