"""Losses as tutorials and public code write them: a pass of D for each kind of images, torch's own operations."""

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from benchmarks.game import Game
from gan.networks.base import Discriminator


class CrossEntropy:
    """The non-saturating loss with labels, as in the DCGAN tutorial."""

    def __init__(self, game: Game) -> None:
        self.criterion = nn.BCEWithLogitsLoss()

    def discriminator(self, network: Discriminator, real: Tensor, fake: Tensor) -> Tensor:
        """D's loss, a scalar, for images (B, C, H, W)."""
        loss_real = self.criterion(network.score(real), torch.ones(len(real), device=real.device))
        return loss_real + self.criterion(network.score(fake), torch.zeros(len(fake), device=fake.device))

    def generator(self, network: Discriminator, real: Tensor, fake: Tensor) -> Tensor:
        """G's loss, a scalar."""
        return self.criterion(network.score(fake), torch.ones(len(fake), device=fake.device))


class Critic:
    """WGAN-GP: the penalty takes a third pass of the critic (Gulrajani et al. 2017)."""

    def __init__(self, game: Game) -> None:
        self.weight = game.penalty["gradient_penalty"]["weight"]

    def discriminator(self, network: Discriminator, real: Tensor, fake: Tensor) -> Tensor:
        """The critic's loss, a scalar, for images (B, C, H, W)."""
        loss = network.score(fake).mean() - network.score(real).mean()
        share = torch.rand(len(real), 1, 1, 1, device=real.device)
        between = (share * real + (1 - share) * fake.detach()).requires_grad_()
        (gradient,) = torch.autograd.grad(network.score(between).sum(), between, create_graph=True)
        return loss + self.weight * (gradient.flatten(1).norm(2, dim=1) - 1).square().mean()

    def generator(self, network: Discriminator, real: Tensor, fake: Tensor) -> Tensor:
        """G's loss, a scalar."""
        return -network.score(fake).mean()


class RelativisticPairs:
    """Relativistic pairs with R1 and R2, as in R3GAN's code (Huang et al. 2024)."""

    def __init__(self, game: Game) -> None:
        self.gamma_real, self.gamma_fake = (game.penalty[name]["weight"] for name in ("r1", "r2"))

    def discriminator(self, network: Discriminator, real: Tensor, fake: Tensor) -> Tensor:
        """D's loss, a scalar, for images (B, C, H, W)."""
        real, fake = real.detach().requires_grad_(), fake.detach().requires_grad_()
        scores_real, scores_fake = network.score(real), network.score(fake)
        r1, r2 = self.squared_norm(scores_real, real), self.squared_norm(scores_fake, fake)
        loss = softplus(scores_fake - scores_real).mean()
        return loss + self.gamma_real / 2 * r1.mean() + self.gamma_fake / 2 * r2.mean()

    def generator(self, network: Discriminator, real: Tensor, fake: Tensor) -> Tensor:
        """G's loss, a scalar."""
        return softplus(network.score(real) - network.score(fake)).mean()

    @staticmethod
    def squared_norm(scores: Tensor, images: Tensor) -> Tensor:
        """The squared norm of the score's gradient for each image, (B,)."""
        (gradient,) = torch.autograd.grad(scores.sum(), images, create_graph=True)
        return gradient.square().sum([1, 2, 3])


#: by the name of the loss in ``train.py``; the cross-entropy for all others
LOSSES = {"Wasserstein": Critic, "Relativistic": RelativisticPairs}


def of_game(game: Game) -> CrossEntropy | Critic | RelativisticPairs:
    """The losses of a game."""
    return LOSSES.get(game.loss["_target_"].rpartition(".")[2], CrossEntropy)(game)
