"""Base classes of generators, discriminators and encoders."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import ClassVar

import torch
from torch import Tensor, nn

from gan.core.batch import Batch, Output
from gan.core.checks import ArgumentError
from gan.core.errors import UserError
from gan.networks.layers import Conditional, Constrained


class Network(nn.Module, ABC):
    """A network whose weights a player trains."""

    @cached_property
    def mixes_batch(self) -> bool:
        """Whether the output for one example depends on the other examples of the batch.

        If so, splitting the batch over processes would change the result, and so would one forward pass over real
        images and samples together. True for any network with batch normalization; others override it.
        """
        return any(isinstance(layer, nn.modules.batchnorm._BatchNorm) for layer in self.modules())

    @property
    def needs_whole_batch(self) -> bool:
        """Whether a batch may not be divided over processes, and an example's gradient depends on the others.

        As ``mixes_batch``, but for networks that only take several examples as one, which processes can do as well.
        """
        return self.mixes_batch

    def constrain(self) -> None:
        """Called after each update: projects the weights of constrained layers back into their bounds."""
        for layer in self._constrained:
            layer.constrain()

    @cached_property
    def _constrained(self) -> list[Constrained]:
        return [layer for layer in self.modules() if isinstance(layer, Constrained) and layer.max_norm is not None]


class Generator(Network):
    """Latents (B, latent_dim) to images, float32 (B, C, H, W) in [0, 1].

    Attributes:
        start_from: a checkpoint whose generator's weights are passed to :meth:`load_trained` before training, or
            None.
    """

    start_from: str | None = None
    #: the key of ``start_from``, for messages
    start_key: ClassVar[str] = "model.generator.start_from"
    #: whether these are the weights of its EMA, if there is one
    start_from_ema: bool = False
    #: number of classes of the labels that it needs; 0 if it works without labels
    classes: int = 0

    def __call__(self, *inputs: Tensor, **named: Tensor) -> Tensor:
        for layer in self._conditional:
            layer.labels = named.get("labels", inputs[1] if len(inputs) > 1 else None)
        return super().__call__(*inputs, **named)

    @cached_property
    def _conditional(self) -> list[Conditional]:
        return [layer for layer in self.modules() if isinstance(layer, Conditional)]

    @property
    def needs_labels(self) -> bool:
        """Whether it or one of its layers gets the label of each example."""
        return bool(self.classes or self._conditional)

    def load_trained(self, weights: dict[str, Tensor]) -> None:
        """Loads the weights of the generator in ``start_from``; raises RuntimeError if they do not fit."""
        raise NotImplementedError

    @abstractmethod
    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Images for latents; a conditional generator uses the labels, int64 (B,), -1 where unknown."""

    def adapt_to_data(self, mean_image: Callable[[], Tensor]) -> None:
        """Called once before training. Most generators start from random weights alone and do nothing here.

        Args:
            mean_image: computes the mean training image, (C, H, W) in [0, 1].
        """


class GeneratorWrapper(Generator):
    """A generator around another one, which starts as that one would.

    Args:
        generator: the inner one.
    """

    def __init__(self, generator: Generator) -> None:
        super().__init__()
        self.network, self.classes = generator, generator.classes

    @property
    def start_from(self) -> str | None:  # type: ignore[override]
        """The inner generator's checkpoint to start from, or None."""
        return self.network.start_from

    def load_trained(self, weights: dict[str, Tensor]) -> None:
        self.network.load_trained(weights)

    def adapt_to_data(self, mean_image: Callable[[], Tensor]) -> None:
        self.network.adapt_to_data(mean_image)


class Discriminator(Network):
    """A batch to an output for each example, see :class:`gan.core.batch.Output`.

    Most use the images alone and return one logit each; these define :meth:`score`. A discriminator that uses labels
    or latents, or has several heads, defines ``forward``.
    """

    #: whether ``Output.logits`` is minus a reconstruction error and ``Output.features`` the code
    is_energy: ClassVar[bool] = False
    #: whether it compares each image with its label, so that every real image must have one
    compares_labels: ClassVar[bool] = False
    #: the outputs beside logits by which a trained D describes an image, such as ``classes``
    offers: ClassVar[frozenset[str]] = frozenset()
    #: whether it uses or predicts something of a single example, such as its label
    describes_examples: ClassVar[bool] = False
    #: number of examples that share a logit
    pack: int = 1
    #: whether it needs ``Batch.z``: there is no D(x) of an image alone
    needs_z: ClassVar[bool] = False

    def forward(self, batch: Batch) -> Output:
        return Output(logits=self.score(batch.images))

    def score(self, images: Tensor) -> Tensor:
        """Logits (B,), large for real, of images float32 (B, C, H, W) in [0, 1]."""
        raise NotImplementedError(f"{type(self).__name__} defines neither score nor forward")

    def features(self, images: Tensor) -> Tensor:
        """What the last layer gets, (B, …), of images as for :meth:`score`; further heads share it.

        Raises:
            UserError: this discriminator has no last layer for features.
        """
        raise UserError(f"model.discriminator: {type(self).__name__} has no features for a further head.")

    def perturbed(self, features: Tensor) -> Tensor:
        """The features with the noise, if any, that the last layer gets in training."""
        return features

    def logit(self, features: Tensor) -> Tensor:
        """The last layer: ``logit(features(images))`` is ``score(images)``."""
        raise NotImplementedError(f"{type(self).__name__} defines features, but not logit")


class Encoder(Network):
    """Images, float32 (B, C, H, W) in [0, 1], to codes (B, dim), or to their distribution (B, 2 · dim).

    The first dim outputs are the code, or the mean of its distribution.
    """

    @abstractmethod
    def forward(self, images: Tensor) -> Tensor: ...

    def features(self, images: Tensor) -> Tensor:
        """What the last layer gets, (B, F), of images as for :meth:`forward`: the last hidden layer.

        Raises:
            UserError: this encoder has no last hidden layer.
        """
        raise UserError(f"model.encoder: {type(self).__name__} has no features of a last hidden layer.")


def check_widths(name: str, widths: Sequence[int]) -> list[int]:
    """The layer widths as a list; raises ValueError if it is empty or a width is not positive."""
    widths = [widths] if isinstance(widths, int) else list(widths)
    if not widths or not all(isinstance(w, int) and w > 0 for w in widths):
        raise ValueError(f"{name} must be a list of positive widths such as [256, 512], got {widths}")
    return widths


def square_side(image_shape: Sequence[int], fits: Callable[[int], object], sides: str) -> int:
    """The side H = W of square images.

    Args:
        image_shape: (C, H, W).
        fits: whether a side is one that the network can have.
        sides: those sides, as the error names them.

    Raises:
        ArgumentError: another side, or H ≠ W.
    """
    _, height, width = image_shape
    if height != width or not fits(height):
        got = height if height == width else f"{height}×{width}"
        raise ArgumentError("image_shape[1]", f"must be {sides}, got {got}.")
    return height


def count_doublings(image_shape: Sequence[int]) -> tuple[int, int]:
    """The smallest side, 4 or 7, and how often it is doubled until it is that of square images (C, H, W).

    Raises:
        ArgumentError: a side that is neither 4 · 2ⁿ nor 7 · 2ⁿ.
    """
    found = {base * 2**n: (base, n) for base in (4, 7) for n in range(16)}
    return found[square_side(image_shape, found.get, "4, 8, 16, 32, 64, … or 7, 14, 28, 56, …")]


def expect_shape(key: str, tensor: Tensor, shape: tuple[int, ...]) -> None:
    """Raises UserError if the output of the network at ``key`` does not have this shape."""
    if tensor.shape != torch.Size(shape):
        raise UserError(f"{key} returns shape {tuple(tensor.shape)}, expected {tuple(shape)}.")
