"""Operations and bytes of a step against torch's counter and by hand; a machine's limits with a mocked clock."""

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.bare import Bare
from benchmarks.game import PRECISIONS, Game, make
from benchmarks.limits import fastest, implementations, layers, limits, products, traffic

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
def test_flops_equal_those_that_torch_counts_in_the_bare_loop(pair, tmp_path):
    torch.save({"images": torch.zeros(3, *IMAGE, dtype=torch.uint8), "mean_image": torch.zeros(IMAGE)}, tmp_path / "x")
    generator, discriminator = PAIRS[pair]
    game = Game(
        **{"generator": generator, "discriminator": discriminator},
        latent={"_target_": "gan.networks.latents.Gaussian", "dim": 5},
        loss={"_target_": "gan.losses.adversarial.NonSaturating"},
        **{"penalty": {}, "k": 1},
        optimizers={player: {"lr": 1e-3, "betas": [0.5, 0.999]} for player in ("generator", "discriminator")},
        **{"hold": 0.5, "ema_decay": 0.9, "ema_power": 9, "seed": 1, "batch_size": 3, "minibatches": 2},
        **{"device": "cpu", "precision": "float32", "images": str(tmp_path / "x")},
    )
    bare = Bare(game)
    bare.minibatch()
    with FlopCounterMode(display=False) as counter:
        bare.minibatch()
    assert counter.get_total_flops() == sum(product.flops for product in products(*seen(pair), batch=3))


def test_flops_and_bytes_of_two_layers_by_hand():
    generator = layers(nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 4)), torch.zeros(1, 2))
    discriminator = layers(nn.Sequential(nn.Linear(4, 5), nn.Linear(5, 1)), torch.zeros(1, 4))
    # Multiplications of one example: 6 and 12 in G, 20 and 5 in D. With 10 examples:
    d_step = 10 * (6 + 12) + 20 * ((20 + 5) + (20 + 5) + 5)  # sample; forward, weights and inputs of twice as many
    g_step = 10 * (2 * (6 + 12) + 12 + 2 * (20 + 5))
    assert sum(product.flops for product in products(generator, discriminator, 10)) == 2 * (d_step + g_step)
    # Weights: 9 + 16 in G, read by D's step, then 9 times by its own, twice by the EMA; 25 + 6 in D, 9 + 1 times.
    weights = 25 * 12 + 31 * 10
    activations = 10 * 7 * (2 + 5) + 10 * 6 * (2 * 5 + 5)
    assert traffic(generator, discriminator, 10) == 4 * (weights + activations)
    assert traffic(generator, discriminator, 10, activation_bytes=2) == 4 * weights + 2 * activations


def test_counting_layers_leaves_the_network_unchanged():
    network = make(PAIRS["mlp"][1])
    state = torch.get_rng_state()
    layers(network, torch.zeros(1, *IMAGE))
    assert network.training
    assert torch.equal(torch.get_rng_state(), state)
    assert not any(module._forward_hooks for module in network.modules())


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("pair", ["mlp", "convolutional"])
def test_each_limit_is_the_work_over_the_measured_rate(pair, precision, monkeypatch):
    """With a clock that gives each task a millisecond. Tasks run only in float32: not every CPU has the others."""
    timed = []

    def fastest(task, device):
        timed.append(task)
        if PRECISIONS[precision].factors == torch.float32:
            task()
        return 1e-3

    monkeypatch.setattr("benchmarks.limits.fastest", fastest)
    before = torch.get_float32_matmul_precision()
    both = seen(pair)
    found = limits(*both, batch=2, precision=precision, device="cpu", square=32, mebibytes=1)
    needed = products(*both, batch=2)
    names = implementations("cpu")
    assert found.rates == pytest.approx({f"{name} {n}": 2 * n**3 / 1e-3 for n in (8, 32) for name in names})
    assert found.bandwidth == pytest.approx(2 * 2**20 / 1e-3)
    assert found.own_shapes_ms == pytest.approx(len(needed))
    assert found.arithmetic_ms == pytest.approx(sum(product.flops for product in needed) / (2 * 32**3))
    assert found.traffic_ms == pytest.approx(found.bytes / (2 * 2**20))
    linear = sum(isinstance(product.layer.module, nn.Linear) for product in needed)
    assert len(timed) == 2 * len(names) + 1 + linear * len(names) + len(needed) - linear
    assert torch.get_float32_matmul_precision() == before


def test_fastest_returns_the_shortest_time(monkeypatch):
    durations = iter([0.5, 0.25, 2.0])
    now = 10.0

    def task():
        nonlocal now
        now += next(durations)

    monkeypatch.setattr("time.perf_counter", lambda: now)
    assert fastest(task, "cpu", repeats=3) == 0.25
