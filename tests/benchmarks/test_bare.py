"""The bare loop trains exactly as train.py does."""

import copy

import pytest
import torch

from benchmarks.bare import Bare
from benchmarks.game import PRECISIONS, Game, with_layers_of_torch
from gan.networks import mlp
from gan.networks.layers import Dropout


@pytest.fixture
def game_of(tmp_path):
    """The bare loop's game for a configuration that a Trainer has trained."""

    def described(cfg, data, minibatches, precision) -> Game:
        path = tmp_path / "images.pt"
        torch.save({"images": data.splits["train"].images, "mean_image": data.mean_image()}, path)
        Game.of(cfg, path, minibatches, "cpu", precision).write(tmp_path / "game.json")
        return Game.read(tmp_path / "game.json")

    return described


MODELS = {
    "mlp": ["model=mlp"],
    "maxout": ["model=maxout", "model.generator.hidden=[32,32]", "model.discriminator.hidden=[16,16]"],
    "mlp_bn": ["model=mlp_bn"],
    "wide": ["model=mlp", "model.generator.hidden=[1024]", "model.discriminator.hidden=[1024]"],  # through oneDNN
}


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["float32", "bf16-mixed"])
@pytest.mark.parametrize("model", MODELS)
def test_bare_loop_equals_train_py_bit_for_bit(configure, run_training, game_of, model, precision):
    words = [*MODELS[model], f"trainer.precision={PRECISIONS[precision].trainer}"]
    # Into the second epoch (of 21 batches), while the learning rates fall and the callbacks run.
    cfg = configure(*words, "trainer.max_epochs=-1", "trainer.max_steps=24", "logger=none")
    theirs = run_training(cfg)
    bare = Bare(game_of(cfg, theirs.data, 24, precision))
    for _ in range(24):
        bare.minibatch()
    pairs = [
        (theirs.module.generator, bare.generator),
        (theirs.module.discriminator, bare.discriminator),
        (theirs.module.generator_ema, bare.average),
    ]
    for expected, found in pairs:
        state = found.state_dict()
        assert all(torch.equal(value, state[name]) for name, value in expected.state_dict().items())


@torch.no_grad()
def test_torch_layers_compute_the_same_logits():
    ours = mlp.Discriminator((1, 28, 28), [1024, 512], dropout=0.5)
    theirs = with_layers_of_torch(copy.deepcopy(ours))
    kinds = {type(layer) for layer in theirs.modules()}
    assert {torch.nn.Linear, torch.nn.Dropout} < kinds
    assert Dropout not in kinds
    x = torch.rand(64, 1, 28, 28)
    assert torch.allclose(ours.eval().score(x), theirs.eval().score(x), atol=1e-5)


def test_another_seed_gives_other_weights(configure, run_training, game_of):
    cfg = configure("trainer.max_epochs=-1", "trainer.max_steps=2", "logger=none", "callbacks=none")
    theirs = run_training(cfg)
    cfg.seed = 2
    bare = Bare(game_of(cfg, theirs.data, 2, "float32"))
    pairs = zip(theirs.module.generator.parameters(), bare.generator.parameters(), strict=True)
    assert not any(torch.equal(a, b) for a, b in pairs)
