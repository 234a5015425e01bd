"""The tutorials' losses are a second implementation of the project's."""

import pytest
import torch
from hydra import compose, initialize_config_dir
from torch import Tensor

from benchmarks import textbook_losses
from benchmarks.game import Game
from benchmarks.roster import MODELS
from gan.app.command_line import CONF
from gan.core.batch import Batch
from gan.losses.base import Pair
from gan.runs.build import part

SMALL = {
    "mlp": ["model.discriminator.hidden=[16,8]", "model.discriminator.dropout=0"],
    "wgan_gp": ["model.discriminator.hidden=[16,8]"],
    "rpgan_r1_r2": ["model.discriminator.hidden=[16,8]"],
}


@pytest.mark.parametrize("model", SMALL)
def test_textbook_losses_and_gradients_equal_the_projects(model, tmp_path, monkeypatch):
    with initialize_config_dir(config_dir=str(CONF), version_base="1.3"):
        cfg = compose("train", [*MODELS[model], *SMALL[model], f"output_dir={tmp_path}"])
    # One share for every pair in both penalties.
    monkeypatch.setattr(torch, "rand", lambda *shape, **_: torch.full(shape, 0.3))
    losses = textbook_losses.of_game(Game.of(cfg, tmp_path / "none", 1, "cpu", "float32"))
    torch.manual_seed(1)
    discriminator = part(cfg, "model.discriminator")
    images, samples = torch.rand(2, 5, 1, 8, 8)
    labels = torch.zeros(5, dtype=torch.long)
    terms = [part(cfg, "loss"), *(part(cfg, f"penalty.{name}") for name in cfg.penalty or {})]

    def pair() -> Pair:
        return Pair(discriminator, Batch(images=images, labels=labels), Batch(images=samples, labels=labels))

    def gradient(loss: Tensor) -> list[Tensor]:
        return list(torch.autograd.grad(loss, discriminator.parameters(), allow_unused=True))

    ours = sum(term.discriminator(pair()) for term in terms)
    theirs = losses.discriminator(discriminator, images, samples)
    torch.testing.assert_close(theirs, ours)
    torch.testing.assert_close(gradient(theirs), gradient(ours))
    ours, theirs = terms[0].generator(pair()), losses.generator(discriminator, images, samples)
    torch.testing.assert_close(theirs, ours)
    torch.testing.assert_close(gradient(theirs), gradient(ours))
