"""The two records that data, networks and losses exchange: the discriminator's input and its output."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Self

import torch
from torch import Tensor


@dataclass(frozen=True)
class Record:
    """Named tensors whose first axis is the batch. A field that is None is absent. A subclass may add fields."""

    def items(self) -> list[tuple[str, Tensor]]:
        """The fields that are present, as (name, tensor), in the order of their definition."""
        return [(field.name, value) for field in fields(self) if (value := getattr(self, field.name)) is not None]

    def map(self, function: Callable[[Tensor], Tensor]) -> Self:
        """A record with ``function(value)`` in each field that is present."""
        return type(self)(**{name: function(value) for name, value in self.items()})

    def zip(self, other: Self, function: Callable[[Tensor, Tensor], Tensor]) -> Self:
        """A record with ``function(value, value of other)`` in each field that both records have."""
        pairs = [(name, value, getattr(other, name)) for name, value in self.items()]
        return type(self)(**{name: function(a, b) for name, a, b in pairs if b is not None})

    def to(self, device: torch.device | str, non_blocking: bool = False) -> Self:
        """The record on a device; Lightning calls this to move a batch."""
        return self.map(lambda value: value.to(device, non_blocking=non_blocking))

    def __len__(self) -> int:
        return len(self.items()[0][1])


@dataclass(frozen=True)
class Batch(Record):
    """The discriminator's input: real or generated examples.

    Attributes:
        images: float32 (B, C, H, W) in [0, 1].
        labels: int64 (B,), -1 where the class is unknown.
        z: float32 (B, dim), the latent; absent in real batches unless an encoder adds it.
        labelled_images: float32 (B, C, H, W), further real images for a classifier, of data whose ``images`` are
            without labels.
        known_labels: int64 (B,), their classes.
    """

    images: Tensor | None = None
    labels: Tensor | None = None
    z: Tensor | None = None
    labelled_images: Tensor | None = None
    known_labels: Tensor | None = None


def in_packs(rows: Tensor, size: int) -> Tensor:
    """(B, …) to (B / size, size, …): pack j has the rows j, j + B / size, …, for any number of processes."""
    return rows.unflatten(0, (size, -1)).transpose(0, 1)


def unpacked(packs: Tensor) -> Tensor:
    """The inverse of :func:`in_packs`: (B / size, size, …) to (B, …)."""
    return packs.transpose(0, 1).flatten(0, 1)


@dataclass(frozen=True)
class Output(Record):
    """The discriminator's output, before any sigmoid or softmax.

    Attributes:
        logits: (B,), large for real; the score of a critic, or the negative energy. A discriminator that packs
            m examples returns B / m rows.
        classes: (B, K), one logit per class.
        codes: (B, Q), parameters of the distribution of a structured latent.
        features: (B, F).
    """

    logits: Tensor | None = None
    classes: Tensor | None = None
    codes: Tensor | None = None
    features: Tensor | None = None
