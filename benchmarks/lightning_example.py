"""Training in the style of Lightning's own GAN example: toggled optimizers, logging at every step, all defaults."""

import sys
from pathlib import Path

import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits
from torch.utils.data import DataLoader

from benchmarks.callback import TakeTurns
from benchmarks.game import PRECISIONS, Game, make, with_layers_of_torch
from benchmarks.textbook import ImageSet
from gan.core.random import RandomRows


class Example(pl.LightningModule):
    """Generator and discriminator with manual optimization.

    Args:
        game: what to train.
        mean_image: float32 (C, H, W).
    """

    def __init__(self, game: Game, mean_image: Tensor) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.game, self.latent = game, make(game.latent)
        self.generator, self.discriminator = map(with_layers_of_torch, game.networks(mean_image))

    def forward(self, z: Tensor) -> Tensor:
        return self.generator(z)

    def adversarial_loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        return binary_cross_entropy_with_logits(logits, labels)

    def training_step(self, batch: tuple[Tensor, Tensor]) -> None:
        images, _ = batch
        g_optimizer, d_optimizer = self.optimizers()

        self.toggle_optimizer(g_optimizer)
        valid = torch.ones(len(images)).type_as(images)
        g_loss = self.adversarial_loss(self.discriminator.score(self(self.noise(images))), valid)
        self.log("g_loss", g_loss, prog_bar=True)
        self.manual_backward(g_loss)
        g_optimizer.step()
        g_optimizer.zero_grad()
        self.untoggle_optimizer(g_optimizer)

        self.toggle_optimizer(d_optimizer)
        valid = torch.ones(len(images)).type_as(images)
        real_loss = self.adversarial_loss(self.discriminator.score(images), valid)
        fake = torch.zeros(len(images)).type_as(images)
        fake_loss = self.adversarial_loss(self.discriminator.score(self(self.noise(images)).detach()), fake)
        d_loss = (real_loss + fake_loss) / 2
        self.log("d_loss", d_loss, prog_bar=True)
        self.manual_backward(d_loss)
        d_optimizer.step()
        d_optimizer.zero_grad()
        self.untoggle_optimizer(d_optimizer)

    def noise(self, images: Tensor) -> Tensor:
        return self.latent.draw(RandomRows(), len(images)).type_as(images)

    def configure_optimizers(self) -> tuple[list[torch.optim.Optimizer], list]:
        networks = {"generator": self.generator, "discriminator": self.discriminator}
        return [torch.optim.Adam(n.parameters(), **self.game.optimizers[p]) for p, n in networks.items()], []


def main(path: str) -> None:
    game = Game.read(path)
    images, mean_image = game.load_images()
    loader = DataLoader(ImageSet(images), batch_size=game.batch_size, shuffle=True, drop_last=True)
    trainer = pl.Trainer(
        accelerator={"cpu": "cpu", "cuda": "gpu"}[game.device],
        devices=1,
        precision=PRECISIONS[game.precision].trainer,
        max_epochs=-1,
        max_steps=2 * game.minibatches,  # Lightning counts the steps of both optimizers
        callbacks=[TakeTurns()],
        default_root_dir=Path(path).parent / "lightning",
    )
    trainer.fit(Example(game, mean_image), loader)


if __name__ == "__main__":
    main(sys.argv[1])
