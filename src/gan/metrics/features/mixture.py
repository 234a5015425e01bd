"""Points of the plane as they are, and the modes of their mixture that they belong to."""

from torch import Tensor

from gan.core.errors import UserError
from gan.data.mixture import Mixture
from gan.metrics.features.base import FeatureExtractor, View

GOOD = 3.0  # deviations


class Components(FeatureExtractor):
    """The coordinates are the features, the modes of the data's mixture are the classes.

    A point is good within three deviations of the nearest centre, in Euclidean distance (Srivastava et al. 2017,
    "VEEGAN", section 4.1): of the data itself that is 1 - exp(-9/2) = 98.9 %. The class probabilities are those of
    the mode given the point, by Bayes' rule with equal weights.
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
