"""All conditionals p(missing pixels | given pixels) with one generator: section 7 of Goodfellow et al. 2014."""

from gan.core.batch import Batch
from gan.core.checks import check_number
from gan.core.errors import UserError
from gan.methods.gan import GAN
from gan.networks.completion import Completing, rectangles


class Completion(GAN):
    """G completes real images from which a random rectangle is missing; D compares the results with whole images.

    The given pixels of a generated example are those of a real one of the same batch.

    Args:
        empty: share of images with nothing given, in [0, 1].
        **gan: see :class:`gan.methods.gan.GAN`.
    """

    def __init__(self, *, empty: float = 0.125, **gan) -> None:
        super().__init__(**gan)
        check_number("[0, 1]", empty=empty)
        if not isinstance(self.generator, Completing):
            raise UserError("method=completion needs a generator that is given pixels; take conditioning=completion.")
        self.empty = empty

    def fake(self, batch: Batch) -> Batch:
        random = self.random_rows
        z, labels = self.latent(random, batch.labels)
        masks = rectangles(random, len(batch), batch.images.shape[-1], self.empty)
        return Batch(images=self.generator(z, labels, batch.images, masks).float(), labels=labels, z=z)
