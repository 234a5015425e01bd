"""Fully connected G and D with the label as an additional input: Mirza and Osindero 2014, "Conditional Generative
Adversarial Nets"."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from gan.core.batch import Batch, Output
from gan.core.random import RandomRows
from gan.networks import base, latents, mlp
from gan.networks.layers import one_hot


class Labelled(latents.Gaussian):
    """z ~ N(0, I) and a label for each z: the requested one, or a uniform random one where none is requested.

    Args:
        dim: the number of coordinates of z, at least 1.
        classes: number of classes, at least 2.
    """

    def __init__(self, dim: int, classes: int) -> None:
        super().__init__(dim)
        check_classes(classes)
        self.classes = classes

    def __call__(self, random: RandomRows, labels: Tensor) -> tuple[Tensor, Tensor]:
        z, drawn = self.draw(random, len(labels)), random.integers(self.classes, len(labels))
        return z, torch.where(labels < 0, drawn.to(labels.device), labels)


class Generator(mlp.Generator):
    """The MLP generator; its input is z and the label's one-hot vector.

    Args:
        latent_dim: length of z.
        image_shape: (C, H, W) of the images.
        hidden: widths of the hidden layers.
        classes: number of classes, at least 2.
        **layers: see :class:`gan.networks.mlp.Generator`.
    """

    def __init__(
        self, latent_dim: int, image_shape: Sequence[int], hidden: Sequence[int], classes: int, **layers: Any
    ) -> None:
        check_classes(classes)
        super().__init__(latent_dim + classes, image_shape, hidden, **layers)
        self.classes = classes

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        if labels is None:
            raise ValueError("a conditional generator needs labels beside z")
        return super().forward(torch.cat([z, one_hot(labels, self.classes)], 1))


class Discriminator(mlp.Discriminator):
    """The MLP discriminator; its input is the image and the label's one-hot vector.

    Args:
        image_shape: (C, H, W) of the images.
        hidden: widths of the hidden layers.
        classes: number of classes, at least 2.
        **layers: see :class:`gan.networks.mlp.Discriminator`.
    """

    describes_examples = True

    def __init__(self, image_shape: Sequence[int], hidden: Sequence[int], classes: int, **layers: Any) -> None:
        check_classes(classes)
        super().__init__([math.prod(image_shape) + classes], hidden, **layers)
        self.classes = classes

    compares_labels = True

    features = base.Discriminator.features  # type: ignore[assignment]  # none of images alone

    def forward(self, batch: Batch) -> Output:
        return Output(logits=self.score(torch.cat([batch.images.flatten(1), one_hot(batch.labels, self.classes)], 1)))


def check_classes(classes: int) -> None:
    """Raises ValueError if there are fewer than two classes."""
    if classes < 2:
        raise ValueError(
            f"classes must be at least 2, got {classes}: conditional networks need data with classes; if a folder has "
            "some, give data.classes"
        )
