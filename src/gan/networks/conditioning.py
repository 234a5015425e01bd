"""Wrappers that give any generator and any discriminator labels or codes.

A discriminator's wrapper shares its features φ(x), the input of its last layer, see
:meth:`gan.networks.base.Discriminator.features`.
"""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from gan.core.batch import Batch, Output
from gan.core.checks import check_integer
from gan.networks import base
from gan.networks.conditional import check_classes
from gan.networks.layers import leaky_relu, one_hot
from gan.networks.normalization import Normalization
from gan.networks.sampling import evaluating


class LabelEmbedding(base.GeneratorWrapper):
    """G(z + e_y) with a learned vector e_y for each class.

    Concatenating the one-hot label to z would be the same for the first layer W: it would get W z + V y, and here it
    gets W z + W e_y. Mirza and Osindero 2014, "Conditional Generative Adversarial Nets".

    Args:
        generator: any generator.
        latent_dim: length of z.
        classes: number of classes, at least 2.
    """

    def __init__(self, generator: base.Generator, latent_dim: int, classes: int) -> None:
        super().__init__(generator)
        check_classes(classes)
        self.classes = classes
        self.embedding = nn.Linear(classes, latent_dim, bias=False)
        nn.init.normal_(self.embedding.weight)

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        if labels is None:
            raise ValueError("a conditional generator needs labels beside z")
        return self.network(z + self.embedding(one_hot(labels, self.classes)), labels)


class Wrapper(base.Discriminator):
    """A discriminator around another one.

    Args:
        discriminator: the inner one.
    """

    def __init__(self, discriminator: base.Discriminator) -> None:
        super().__init__()
        self.network = discriminator

    @property
    def mixes_batch(self) -> bool:  # type: ignore[override]
        return self.network.mixes_batch

    @property
    def needs_whole_batch(self) -> bool:
        return self.network.needs_whole_batch

    @property
    def is_energy(self) -> bool:  # type: ignore[override]
        return self.network.is_energy

    @property
    def offers(self) -> frozenset[str]:  # type: ignore[override]
        return self.network.offers

    @property
    def describes_examples(self) -> bool:  # type: ignore[override]
        return self.network.describes_examples

    @property
    def pack(self) -> int:  # type: ignore[override]
        return self.network.pack

    @staticmethod
    def inner_channels(channels: int, **arguments: Any) -> int:
        """The channels that the inner discriminator is built for.

        Args:
            channels: of the images that the wrapper gets.
            **arguments: the wrapper's, without the inner discriminator.
        """
        return channels


class LabelChannel(Wrapper):
    """The label as a further channel of the image: a learned H×W map for each class, in [-1, 1] at the start.

    Concatenation, for any network. The inner discriminator is built for C + 1 channels. An unknown label's map is 0.
    Mirza and Osindero 2014.

    Args:
        discriminator: for images (C + 1, H, W).
        image_shape: (C, H, W) of the images.
        classes: number of classes, at least 2.
    """

    describes_examples = True
    compares_labels = True

    def __init__(self, discriminator: base.Discriminator, image_shape: Sequence[int], classes: int) -> None:
        super().__init__(discriminator)
        check_classes(classes)
        self.classes = classes
        self.maps = nn.Parameter(torch.empty(classes, 1, *image_shape[1:]).uniform_(-1, 1))

    @staticmethod
    def inner_channels(channels: int, **arguments: Any) -> int:
        return channels + 1

    def forward(self, batch: Batch) -> Output:
        maps = torch.tensordot(one_hot(batch.labels, self.classes), self.maps, 1)  # (B, 1, H, W)
        # the networks map pixels from [0, 1] to [-1, 1]
        return self.network(Batch(images=torch.cat([batch.images, (maps + 1) / 2], 1), labels=batch.labels, z=batch.z))


class Head(Wrapper):
    """A discriminator whose features serve further outputs.

    Args:
        discriminator: one with features.
        image_shape: (C, H, W) of the images.
        normalization: of the further layers' weights, such as spectral; None for none.

    Attributes:
        width: F, the number of features.
    """

    describes_examples = True

    def __init__(
        self,
        discriminator: base.Discriminator,
        image_shape: Sequence[int],
        normalization: Normalization | None = None,
    ) -> None:
        super().__init__(discriminator)
        self.normalized = (normalization or Normalization()).weights
        self.width = count_features(discriminator, image_shape)

    def forward(self, batch: Batch) -> Output:
        features = self.network.features(batch.images)
        return self.output(batch, features.flatten(1), self.network.logit(features))

    def output(self, batch: Batch, features: Tensor, logits: Tensor) -> Output:
        """The outputs for features (B, F) and the inner discriminator's logits (B,)."""
        raise NotImplementedError

    def linear(self, width: int, bias: bool = True) -> nn.Module:
        """A dense layer from the features to ``width`` outputs."""
        return self.normalized(nn.Linear(self.width, width, bias=bias))


class Projection(Head):
    """D(x, y) = logit(φ(x)) + <v_y, φ(x)>. An unknown label has v = 0.

    Miyato and Koyama 2018, "cGANs with Projection Discriminator", equation 4.

    Args:
        classes: number of classes, at least 2.
        **head: see :class:`Head`.
    """

    compares_labels = True

    def __init__(self, discriminator: base.Discriminator, *, classes: int, **head: Any) -> None:
        super().__init__(discriminator, **head)
        check_classes(classes)
        self.classes = classes
        self.vectors = self.linear(classes, bias=False)

    def output(self, batch, features, logits):
        projected = (self.vectors(features) * one_hot(batch.labels, self.classes)).sum(1)
        return Output(logits=logits + projected, features=features)


class ClassHead(Head):
    """One logit per class beside the logit for real: the auxiliary classifier of Odena, Olah, Shlens 2017, "Conditional
    Image Synthesis with Auxiliary Classifier GANs".

    Args:
        classes: number of classes, at least 2.
        **head: see :class:`Head`.
    """

    offers = frozenset({"classes"})

    def __init__(self, discriminator: base.Discriminator, *, classes: int, **head: Any) -> None:
        super().__init__(discriminator, **head)
        check_classes(classes)
        self.classes = self.linear(classes)

    def output(self, batch, features, logits):
        return Output(logits=logits, classes=self.classes(features), features=features)


class ClassLogits(ClassHead):
    """The class logits l alone: D(x) = Z / (Z + 1) with Z = Σ exp(l_k), so that D's logit is log Z.

    K + 1 classes, where the logit of "generated" is 0. Salimans et al. 2016, "Improved Techniques for Training GANs",
    section 5. They take the place of the inner discriminator's last layer, and get the noise before it.

    Args:
        **head: see :class:`ClassHead`.
    """

    def forward(self, batch: Batch) -> Output:
        features = self.network.features(batch.images)
        classes = self.classes(self.network.perturbed(features).flatten(1))
        return Output(logits=classes.logsumexp(1), classes=classes, features=features.flatten(1))


class CodeHead(Head):
    """Q(c | x): logits of each categorical code, then the mean of each continuous one.

    One hidden layer on the features, then the codes; Chen et al. 2016, "InfoGAN", table 1.

    Args:
        categorical: number of values of each categorical code.
        continuous: number of continuous codes.
        hidden: width of the hidden layer, at least 1.
        slope: LeakyReLU's slope for negative inputs.
        **head: see :class:`Head`.
    """

    offers = frozenset({"codes"})

    def __init__(
        self,
        discriminator: base.Discriminator,
        *,
        categorical: Sequence[int],
        continuous: int,
        hidden: int = 128,
        slope: float = 0.1,
        **head: Any,
    ) -> None:
        super().__init__(discriminator, **head)
        check_integer("[1, inf)", hidden=hidden)
        last = self.normalized(nn.Linear(hidden, sum(categorical) + continuous))
        self.codes = nn.Sequential(self.linear(hidden), leaky_relu(slope, inplace=False), last)

    def output(self, batch, features, logits):
        return Output(logits=logits, codes=self.codes(features), features=features)


@torch.no_grad()
def count_features(discriminator: base.Discriminator, image_shape: Sequence[int]) -> int:
    """The number of features of an image (C, H, W); leaves weights and buffers as they are.

    Raises:
        UserError: the discriminator has no features.
    """
    with evaluating(discriminator):
        features = discriminator.features(torch.zeros(1, *image_shape))
    return math.prod(features.shape[1:])
