"""An encoder for a fixed generator, and the search in z that it approximates."""

import pytest
import torch
from torch import nn

from gan.core.errors import UserError
from gan.methods.projection import find_latents
from gan.networks.layers import Dropout
from gan.networks.trained import Trained
from gan.runs.build import build
from tests.test_resume import check_resume

PLAIN = ["model.generator.hidden=[16]", "model.discriminator.hidden=[16]", "latent.dim=3", "logger=none"]
SMALL = ["method=latent_regressor", "model.encoder.hidden=[32]", *PLAIN]


@pytest.fixture
def source(configure, run_training, tmp_path):
    """A checkpoint of a trained generator, and its weights."""
    game = run_training(configure(*PLAIN, "trainer.max_steps=3", "callbacks=none", folder="source"))
    path = tmp_path / "source.ckpt"
    game.trainer.save_checkpoint(path)
    return f"conditioning.generator.start_from={path}", game.module.state_dict()


@pytest.mark.parametrize("ema", [True, False])
def test_it_starts_from_the_other_generator_and_moves_the_encoder_alone(configure, run_training, source, ema):
    word, state = source
    words = [*SMALL, word, f"conditioning.generator.ema={str(ema).lower()}", "trainer.max_steps=2", "callbacks=none"]
    method = run_training(configure(*words)).module
    prefix = "generator_ema" if ema else "generator"
    for name, value in method.generator.network.state_dict().items():
        assert torch.equal(value, state[f"{prefix}.{name}"])
        assert torch.equal(value, method.generator_ema.network.state_dict()[name])
    first = build(configure(*words, folder="first")).module.encoder.state_dict()
    assert not any(torch.equal(value, first[name]) for name, value in method.encoder.state_dict().items())


def test_error_falls_below_that_of_the_mean(configure, run_training, source):
    words = [*SMALL, source[0], "trainer.max_epochs=20", "recipe.lr=5e-3"]
    game = run_training(configure(*words))
    latest = next(c for c in game.trainer.callbacks if type(c).__name__ == "Monitor").latest
    assert latest["loss/encoder"] < 0.8  # the variance of the prior is 1


def test_the_fixed_generator_is_in_evaluation_mode(configure, run_training, source):
    """Its batch statistics would move, and dropout would change G."""
    method = build(configure(*SMALL, source[0])).module
    seen = []
    method.generator.network.layers.append(Dropout(0.5))
    method.generator.register_forward_hook(lambda network, *_: seen.append(network.training))
    method.compute_gradient = lambda player, parts: parts
    method.train()
    batch = type("B", (), {"labels": torch.full((4,), -1)})()
    method.regression_step(batch, {})
    assert seen == [False]
    assert method.generator.training


def test_resumed_run_equals_the_uninterrupted_one(configure, run_training, tmp_path, source):
    choices = [*SMALL, source[0], "trainer.max_epochs=2", "data.batch_size=200", "logger=tensorboard"]
    choices += ["callbacks.monitor.every_n_batches=4"]
    whole = run_training(configure(*choices, folder="whole"))
    check_resume(configure, run_training, tmp_path, choices, whole, stop_at=7)


def test_what_does_not_fit_is_one_line(configure, run_training, source):
    with pytest.raises(UserError, match=r"^conditioning.generator.start_from is missing"):
        build(configure(*SMALL))
    with pytest.raises(UserError, match="method=latent_regressor needs the generator of another run"):
        build(configure(*SMALL, "conditioning=none"))
    other = configure(*SMALL, source[0], "model.generator.hidden=[17]", "trainer.max_steps=1")
    with pytest.raises(UserError, match=r"^conditioning.generator.start_from=.* holds another generator"):
        run_training(other)


# The search


class Linear(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.map = nn.Linear(3, 16)

    def forward(self, z, labels=None):
        return self.map(z).view(-1, 1, 4, 4)


def test_search_finds_the_ridge_solution():
    """For G(z) = W z + b the least of ‖x - G(z)‖² + c ‖z‖² is at (Wᵀ W + c I)⁻¹ Wᵀ (x - b)."""
    network, x = Linear(), torch.rand(4, 1, 4, 4)
    w, b = network.map.weight.detach(), network.map.bias.detach()
    for prior in (0.001, 2.0):
        expected = torch.linalg.solve(w.T @ w + prior * torch.eye(3), w.T @ (x.flatten(1) - b).T).T
        found = find_latents(network, torch.zeros(4, 3), x, steps=600, prior=prior)
        assert torch.allclose(found, expected, atol=0.01)
    assert all(p.grad is None for p in network.parameters())


def test_pixels_outside_the_mask_do_not_count():
    network, x = Linear(), torch.rand(2, 1, 4, 4)
    masks = torch.zeros(2, 1, 4, 4)
    masks[:, :, :2] = 1
    changed = torch.where(masks == 1, x, 9.0)
    a, b = (find_latents(network, torch.zeros(2, 3), some, 100, masks=masks) for some in (x, changed))
    assert torch.equal(a, b)


def test_trained_generators_pass_labels_on():
    class Labels(Linear):
        classes = 4

        def forward(self, z, labels=None):
            return labels

    network = Trained(Labels(), None)
    assert network.classes == 4
    assert network(torch.zeros(1, 3), torch.tensor([2])).item() == 2
