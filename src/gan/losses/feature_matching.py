"""Feature matching: G matches the mean of D's features on real examples."""

from typing import ClassVar

from torch import Tensor

from gan.core.processes import gather_rows
from gan.losses.adversarial import NonSaturating
from gan.losses.base import Pair


class FeatureMatching(NonSaturating):
    """D minimizes the minimax loss; G the mean over features of (E φ(x) - E φ(G(z)))², inner means over the batch.

    φ are D's features, the input of its last layer. Salimans et al. 2016, "Improved Techniques for Training GANs",
    section 3.1; there the squares are summed in the text and averaged in the published code.
    """

    needs_outputs: ClassVar = {"features": "conditioning=class_logits"}

    def generator(self, pair: Pair) -> Tensor:
        real, fake = (gather_rows(output.features).mean(0) for output in (pair.real_output, pair.fake_output))
        return (real - fake).square().mean()
