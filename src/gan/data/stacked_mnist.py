"""Three digits as the three color channels of one image: a thousand modes that can be counted."""

from typing import Any

import torch

from gan.core.checks import check_integer
from gan.core.random import derive
from gan.data.base import Split
from gan.data.mnist import MNIST


class StackedMNIST(MNIST):
    """Three random MNIST digits a, b, c (with replacement) as channels of a 3×28×28 image of class 100 a + 10 b + c.

    Metz et al. 2017, "Unrolled generative adversarial networks", section 3.3.1. Each split uses only its own digits and
    has as many images as digits, unless ``triples`` is given. The table of triples is the same in every run.

    Args:
        triples: number of training images, at least 1; None for as many as training digits. The code of Lin et al. 2018
            has 128,000, of training and test digits.
        **common: see :class:`gan.data.mnist.MNIST`.
    """

    samples_to_score = 25_600  # Metz et al. 2017; 26,000 in Srivastava et al. 2017 and Lin et al. 2018

    def __init__(self, triples: int | None = None, **common: Any) -> None:
        super().__init__(**common)
        check_integer("[1, inf)", or_none=True, triples=triples)
        self.triples = triples

    def load(self) -> dict[str, Split]:
        counts = {"train": self.triples}
        return {
            name: stacked(split, derive(0, f"stacked {name}"), counts.get(name))
            for name, split in super().load().items()
        }


def stacked(digits: Split, seed: int, count: int | None = None) -> Split:
    """``count`` images (N, 3, H, W), each of three random ones of the digits (M, 1, H, W); None for M images.

    The first images are the same for every count.
    """
    size = (len(digits) if count is None else count, 3)
    triples = torch.randint(max(len(digits), 1), size, generator=torch.Generator().manual_seed(seed))
    first, second, third = digits.labels[triples].unbind(1)
    return Split(digits.images[:, 0][triples], 100 * first + 10 * second + third)
