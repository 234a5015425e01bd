"""Features for points in the plane: their coordinates, and the mode of the mixture that each belongs to."""

from torch import Tensor

from gan.core.errors import UserError
from gan.data.mixture import Mixture
from gan.metrics.features.base import FeatureExtractor, View

GOOD = 3.0  # standard deviations


class Components(FeatureExtractor):
    """The features are the coordinates; the classes are the modes of the data's mixture.

    A point is good within three standard deviations of the nearest center, in Euclidean distance (Srivastava et al.
    2017, "VEEGAN", section 4.1). For the data itself that share is 1 - exp(-9/2) = 98.9 %. The class probabilities
    are p(mode | point) by Bayes' rule with equal weights.
    """

    centres: Tensor

    def prepare(self, data) -> None:
        if not isinstance(data, Mixture):
            raise UserError(
                f"features=mixture expects points around known centers (data=ring, data=grid), not "
                f"{data.describe()}; take features=pixels."
            )
        self.register_buffer("centres", data.centres)
        self.deviation, self.name = data.deviation, f"mixture: {data.layout}"

    def forward(self, images: Tensor) -> View:
        points = images.flatten(1)  # (B, 2)
        squares = (points[:, None] - self.centres).square().sum(2) / self.deviation**2  # (B, K)
        return View(points, (-squares / 2).log_softmax(1), squares.amin(1) <= GOOD**2)
