"""Wrappers that change what a discriminator sees of its examples."""

from typing import Any

from torch import Tensor

from gan.core.batch import Batch, Output
from gan.core.checks import check_integer
from gan.core.errors import UserError
from gan.networks import base
from gan.networks.conditioning import Wrapper


class Packed(Wrapper):
    """D scores packs of m examples, all real or all generated, so that it sees how varied they are.

    The inner discriminator gets the m images as channels of one, (B / m, m · C, H, W), without labels and latents, and
    gives one logit a pack; the loss is of B / m logits. Pack j has the rows j, j + B / m, …, for any number of
    processes. Lin, Khetan, Fanti, Oh 2018, "PacGAN: The power of two samples in generative adversarial networks".

    Args:
        discriminator: for images (m · C, H, W).
        pack: m, at least 1; the paper has 2 to 4.

    Raises:
        UserError: the inner discriminator uses or predicts labels or codes, or gets z, of which a pack has several.
    """

    def __init__(self, discriminator: base.Discriminator, pack: int) -> None:
        super().__init__(discriminator)
        if discriminator.describes_examples or discriminator.needs_z:
            raise UserError(
                "view.packed: a pack has no single label, code or z, but this D uses or predicts one; take "
                "conditioning=none and a model without labels."
            )
        self._pack = pack

    @property
    def pack(self) -> int:  # type: ignore[override]
        return self._pack * self.network.pack

    @property
    def mixes_batch(self) -> bool:  # type: ignore[override]
        """Packs of a joint batch would hold real and generated examples."""
        return self._pack > 1 or self.network.mixes_batch

    @staticmethod
    def inner_channels(channels: int, **arguments: Any) -> int:
        check_integer("[1, inf)", pack=arguments["pack"])
        return channels * arguments["pack"]

    def forward(self, batch: Batch) -> Output:
        return self.network(Batch(images=packs(batch.images, self._pack)))


def packs(images: Tensor, count: int) -> Tensor:
    """(B, C, H, W) to (B / count, count · C, H, W): pack j has the rows j, j + B / count, … as its channels."""
    return images.unflatten(0, (count, -1)).transpose(0, 1).flatten(1, 2)
