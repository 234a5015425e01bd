"""Three digits as the three color channels of one image: a thousand modes that can be counted."""

import torch

from gan.core.random import derive
from gan.data.base import Split
from gan.data.mnist import MNIST


class StackedMNIST(MNIST):
    """Three random MNIST digits a, b, c (with replacement) as channels of a 3×28×28 image of class 100 a + 10 b + c.

    Metz et al. 2017, "Unrolled generative adversarial networks", section 3.3.1. Each split has as many images as
    digits and uses only its own digits. The table of triples is the same in every run.

    Args:
        **common: see :class:`gan.data.mnist.MNIST`.
    """

    samples_to_score = 25_600  # Metz et al. 2017; 26,000 in Srivastava et al. 2017 and Lin et al. 2018

    def load(self) -> dict[str, Split]:
        return {name: stacked(split, derive(0, f"stacked {name}")) for name, split in super().load().items()}


def stacked(digits: Split, seed: int) -> Split:
    """N images (N, 3, H, W), each of three random ones of the N digits (N, 1, H, W)."""
    count = len(digits)
    triples = torch.randint(max(count, 1), (count, 3), generator=torch.Generator().manual_seed(seed))
    first, second, third = digits.labels[triples].unbind(1)
    return Split(digits.images[:, 0][triples], 100 * first + 10 * second + third)
