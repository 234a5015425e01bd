"""Training as in the PyTorch tutorials: a data set that transforms one image at a time, and a plain loop.

The losses are those of :mod:`benchmarks.textbook_losses`.

In some tutorials D's loss is backpropagated into G and those gradients are discarded (``textbook``); others detach
the samples (``textbook_detached``).
"""

import sys

import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from benchmarks.game import Game, make, with_layers_of_torch
from benchmarks.textbook_losses import of_game
from benchmarks.turns import Turns
from gan.core.random import RandomRows


class ImageSet(Dataset):
    """Images as in torchvision's data sets: each item is a PIL image passed through the transforms.

    Args:
        images: uint8 (N, C, H, W).
    """

    def __init__(self, images: Tensor) -> None:
        self.images = images.movedim(1, -1).squeeze(-1).contiguous()  # (N, H, W), or (N, H, W, 3)
        # The tutorials normalize to [-1, 1]; the networks here do that themselves, so the same operation keeps [0, 1].
        channels = images.shape[1]
        self.transform = transforms.Compose(
            [transforms.ToTensor(), transforms.Normalize((0.0,) * channels, (1.0,) * channels)]
        )

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self.transform(Image.fromarray(self.images[index].numpy())), 0


def main(path: str, detached: bool = False) -> None:
    game = Game.read(path)
    device = torch.device(game.device)
    images, mean_image = game.load_images()
    # The incomplete last batch is dropped, so that all contestants have batches of one size.
    loader = DataLoader(ImageSet(images), batch_size=game.batch_size, shuffle=True, drop_last=True)
    generator, discriminator = (with_layers_of_torch(n).to(device) for n in game.networks(mean_image))
    latent = make(game.latent)
    losses = of_game(game)
    g_optimizer = torch.optim.Adam(generator.parameters(), **game.optimizers["generator"])
    d_optimizer = torch.optim.Adam(discriminator.parameters(), **game.optimizers["discriminator"])
    turns = Turns.from_environment(game.device)

    played, printed = 0, []
    while played < game.minibatches:
        for real, _ in loader:
            real = real.to(device)

            # D
            with game.autocast():
                fake = generator(latent.draw(RandomRows(device), len(real)))
                d_loss = losses.discriminator(discriminator, real, fake.detach() if detached else fake)
            g_optimizer.zero_grad()
            d_optimizer.zero_grad()
            d_loss.backward()
            d_optimizer.step()

            # G
            if (played + 1) % game.k == 0:
                with game.autocast():
                    fake = generator(latent.draw(RandomRows(device), len(real)))
                    g_loss = losses.generator(discriminator, real, fake)
                g_optimizer.zero_grad()
                d_optimizer.zero_grad()
                g_loss.backward()
                g_optimizer.step()
                printed.append((d_loss.item(), g_loss.item()))

            played += 1
            turns.done()
            if played == game.minibatches:
                break


if __name__ == "__main__":
    main(sys.argv[1], detached=sys.argv[2:] == ["detached"])
