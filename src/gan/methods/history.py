"""Which generated examples D is trained on: the latest ones, or earlier ones too."""

from abc import abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from gan.core.batch import Batch, in_packs, unpacked
from gan.core.checks import check_integer
from gan.core.errors import UserError
from gan.core.processes import gather_rows
from gan.core.random import RandomRows


class History(nn.Module):
    """Maps the latest generated batch to that of D's step. Its state is in buffers, which checkpoints save."""

    def check(self, batch_size: int, pack: int) -> None:
        """Called before the training; raises UserError if it cannot take batches of this size and packs of this one."""

    @abstractmethod
    def forward(self, fake: Batch, random: RandomRows, pack: int = 1) -> Batch:
        """The generated batch of D's step.

        Args:
            fake: the latest one, of this process.
            random: random numbers of the iteration.
            pack: number of examples that D scores together; see :func:`gan.core.batch.in_packs`.
        """


class Replay(History):
    """Half of D's generated examples are earlier ones, from a buffer; G's loss sees the latest alone.

    In each step of D, of b examples, b / 2 are the latest and b / 2 are drawn from the buffer; then b / 2 random
    entries of the buffer are replaced by latest ones. Until it is full, these are appended, and while it is empty all b
    are the latest. Labels and latents are stored with the images. Each of several processes holds the whole buffer, so
    that its contents do not depend on their number. A D of packs is shown, and the buffer holds, packs of one step: D
    would else know the generated packs by their examples of two generators. Shrivastava et al. 2017, "Learning from
    simulated and unsupervised images through adversarial training", section 2.3.

    Args:
        capacity: number of examples, at least b / 2; the paper gives none, published code 50 b.
        image_shape: (C, H, W) of the images.
        latent_dim: length of z.

    Attributes:
        filled: number of entries so far, int64 (); an entry is an example, or a pack.
        images, labels, z: the examples, (capacity, …); zeros where nothing is stored yet.
    """

    filled: Tensor

    def __init__(self, capacity: int, image_shape: Sequence[int], latent_dim: int) -> None:
        super().__init__()
        check_integer("[1, inf)", capacity=capacity)
        self.capacity = capacity
        self.register_buffer("filled", torch.zeros((), dtype=torch.int64))
        self.register_buffer("images", torch.zeros(capacity, *image_shape))
        self.register_buffer("labels", torch.zeros(capacity, dtype=torch.int64))
        self.register_buffer("z", torch.zeros(capacity, latent_dim))

    def check(self, batch_size: int, pack: int) -> None:
        half = batch_size // pack // 2
        if half > self.capacity // pack:
            raise UserError(f"history.capacity must be at least {half * pack}, half of a batch, got {self.capacity}.")

    @torch.no_grad()
    def forward(self, fake: Batch, random: RandomRows, pack: int = 1) -> Batch:
        fake = fake.map(gather_rows)
        half, capacity = len(fake) // pack // 2, self.capacity // pack  # in entries
        taken, places = self.draw(half, capacity, random.everywhere)
        latest, shown = len(fake) // pack - half, {}
        for name, rows in fake.items():
            new = in_packs(rows, pack)  # (B / pack, pack, …)
            stored = self.get_buffer(name)[: capacity * pack].unflatten(0, (capacity, pack))  # the same memory
            old = torch.where(self.filled > 0, stored[taken], new[latest:])
            shown[name] = unpacked(torch.cat([new[:latest], old]))[random.rank :: random.world]
            stored.index_copy_(0, places, new[:half])
        self.filled.add_(half).clamp_(max=capacity)
        return Batch(**shown)

    def draw(self, half: int, capacity: int, random: RandomRows) -> tuple[Tensor, Tensor]:
        """The entries that are shown, with replacement, and those that are written, all different; (half,) each."""
        taken = (random.uniform(half) * self.filled).long()
        chosen = random.uniform(capacity).argsort()[:half]
        free = (self.filled + torch.arange(half, device=chosen.device)) % capacity
        return taken, torch.where(self.filled < capacity, free, chosen)
