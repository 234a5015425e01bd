"""What a step needs, against torch's own counter and by hand; what is measured is only positive and finite."""

import math

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.bare import Bare
from benchmarks.game import PRECISIONS, Game, make
from benchmarks.limits import layers, limits, products, traffic

IMAGE = [1, 8, 8]
PAIRS = {
    "mlp": (
        {"_target_": "gan.networks.mlp.Generator", "latent_dim": 5, "image_shape": IMAGE, "hidden": [7, 6]},
        {"_target_": "gan.networks.mlp.Discriminator", "image_shape": IMAGE, "hidden": [9, 4], "dropout": 0.5},
    ),
    "maxout": (
        {
            "_target_": "gan.networks.maxout.Generator",
            **{"latent_dim": 5, "image_shape": IMAGE, "hidden": [7], "init_range": 0.05},
        },
        {
            "_target_": "gan.networks.maxout.Discriminator",
            **{"image_shape": IMAGE, "hidden": [4, 3], "pieces": 2, "init_range": 0.005},
            **{"input_dropout": 0.2, "hidden_dropout": 0.5},
        },
    ),
    "convolutional": (
        {
            "_target_": "benchmarks.convolutional.Generator",
            **{"latent_dim": 5, "image_shape": IMAGE, "hidden": [6, 4]},
        },
        {"_target_": "benchmarks.convolutional.Discriminator", "image_shape": IMAGE, "hidden": [4, 6]},
    ),
}


def seen(pair, latent_dim=5):
    """The layers of G and of D."""
    generator, discriminator = (make(node) for node in PAIRS[pair])
    return layers(generator, torch.zeros(1, latent_dim)), layers(discriminator, torch.zeros(1, *IMAGE))


@pytest.mark.parametrize("pair", PAIRS)
def test_as_many_operations_as_torch_counts_in_the_bare_loop(pair, tmp_path):
    torch.save({"images": torch.zeros(3, *IMAGE, dtype=torch.uint8), "mean_image": torch.zeros(IMAGE)}, tmp_path / "x")
    generator, discriminator = PAIRS[pair]
    game = Game(
        **{"generator": generator, "discriminator": discriminator},
        latent={"_target_": "gan.latents.Gaussian", "dim": 5},
        loss={"_target_": "gan.losses.NonSaturating"},
        optimizers={player: {"lr": 1e-3, "betas": [0.5, 0.999]} for player in ("generator", "discriminator")},
        **{"hold": 0.5, "ema_decay": 0.9, "ema_power": 9, "seed": 1, "batch_size": 3, "minibatches": 2},
        **{"device": "cpu", "precision": "float32", "images": str(tmp_path / "x")},
    )
    bare = Bare(game)
    bare.minibatch()
    with FlopCounterMode(display=False) as counter:
        bare.minibatch()
    assert counter.get_total_flops() == sum(product.flops for product in products(*seen(pair), batch=3))


def test_two_layers_by_hand():
    generator = layers(nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 4)), torch.zeros(1, 2))
    discriminator = layers(nn.Sequential(nn.Linear(4, 5), nn.Linear(5, 1)), torch.zeros(1, 4))
    # Multiplications of one example: 6 and 12 in G, 20 and 5 in D. With 10 examples:
    d_step = 10 * (6 + 12) + 20 * ((20 + 5) + (20 + 5) + 5)  # draw; forward, weights and inputs of twice as many
    g_step = 10 * (2 * (6 + 12) + 12 + 2 * (20 + 5))
    assert sum(product.flops for product in products(generator, discriminator, 10)) == 2 * (d_step + g_step)
    # Weights: 9 + 16 in G, read by D's step, then 9 times by its own, twice by the average; 25 + 6 in D, 9 + 1 times.
    weights = 25 * 12 + 31 * 10
    activations = 10 * 7 * (2 + 5) + 10 * 6 * (2 * 5 + 5)
    assert traffic(generator, discriminator, 10) == 4 * (weights + activations)
    assert traffic(generator, discriminator, 10, activation_bytes=2) == 4 * weights + 2 * activations


def test_layers_leave_the_network_as_it_was():
    network = make(PAIRS["mlp"][1])
    state = torch.get_rng_state()
    layers(network, torch.zeros(1, *IMAGE))
    assert network.training
    assert torch.equal(torch.get_rng_state(), state)
    assert not any(module._forward_hooks for module in network.modules())


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("pair", ["mlp", "convolutional"])
def test_the_machine_is_measured(pair, precision):
    before = torch.get_float32_matmul_precision()
    found = limits(*seen(pair), batch=2, precision=precision, device="cpu", square=32, mebibytes=1)
    numbers = [found.arithmetic_ms, found.own_shapes_ms, found.traffic_ms, found.bandwidth, *found.rates.values()]
    assert all(number > 0 and math.isfinite(number) for number in numbers)
    assert torch.get_float32_matmul_precision() == before
