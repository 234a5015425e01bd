"""A resumed run gives exactly the same result as an uninterrupted one."""

import pytest
import torch
from pytorch_lightning.callbacks import Callback
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from gan.app.prepare import prepare
from gan.app.train import run
from gan.core.errors import UserError
from gan.core.random import RandomRows
from gan.runs.build import build
from tests import test_conf
from tests.conftest import small, trained_experiment


class StopAt(Callback):
    """Saves a checkpoint after a batch, as the checkpoint callback does, and raises an error."""

    class StoppedError(Exception):
        pass

    def __init__(self, minibatch, path):
        self.iteration, self.path = minibatch, path

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        if pl_module.iteration == self.iteration:
            trainer.save_checkpoint(self.path)
            raise self.StoppedError


def scalars(folder):
    """Every logged scalar but the speed: name -> [(step, value), …]."""
    events = EventAccumulator(str(folder), size_guidance={"scalars": 0})
    events.Reload()
    return {
        tag: [(e.step, e.value) for e in events.Scalars(tag)] for tag in events.Tags()["scalars"] if "speed" not in tag
    }


def weights(game):
    return {name: value.clone() for name, value in game.module.state_dict().items()}


def assert_same_bits(a, b):
    assert a.keys() == b.keys()
    for name in a:
        assert torch.equal(a[name], b[name]), f"{name} differs by {(a[name] - b[name]).abs().max()}"


COMMON = ["trainer.max_epochs=3", "data.batch_size=128", "callbacks.monitor.every_n_batches=4", "ema.decay=0.99"]
# 1397 // 128 = 10 batches an epoch.


@pytest.mark.parametrize("stop_at", [1, *(pytest.param(n, marks=pytest.mark.slow) for n in (6, 9, 10, 20, 25)), 11])
@pytest.mark.parametrize("k", [pytest.param(1, marks=pytest.mark.slow), 2, pytest.param(3, marks=pytest.mark.slow)])
def test_resumed_run_has_the_same_weights_and_curves(configure, run_training, tmp_path, k, stop_at):
    choices = [*COMMON, f"k={k}", "optim/schedule=linear", "optim.gradient_clip=0.5"]
    whole = run_training(configure(*choices, folder="whole"))
    check_resume(configure, run_training, tmp_path, choices, whole, stop_at)


@pytest.mark.slow
@pytest.mark.parametrize(
    "choices",
    [
        ["model=maxout", "model.discriminator.hidden=[16,16]", "latent=uniform", "loss=minimax"],
        ["penalty=r1", "g_steps=2", "optim/schedule=exponential", "trainer.precision=bf16-mixed"],
        ["ema.decay=0", "trainer.limit_train_batches=7"],
        ["optim=sgd2014", "optim.momentum.updates=20"],
        ["penalty=r1", "penalty.r1.weight={_target_:gan.optim.schedules.Cosine,end:0.1}", "optim/schedule=cosine"],
        ["view=packed", "penalty=[r1,r2]"],
        ["history=replay", "history.capacity=300"],
        ["view=[augmented,minibatch_discrimination]", "auxiliary=historical_average"],
        ["lookahead=unrolled", "lookahead.steps=2"],
        # wide enough for oneDNN's products, and their second derivatives
        ["model.generator.hidden=[1024,512]", "model.discriminator.hidden=[1024,512]", "penalty=r1"],
    ],
)
def test_resume_is_exact_for_every_kind_of_component(configure, run_training, tmp_path, choices):
    whole = run_training(configure(*COMMON, *choices, folder="whole"))
    check_resume(configure, run_training, tmp_path, [*COMMON, *choices], whole, stop_at=9)


@pytest.mark.slow
@pytest.mark.parametrize(("model", "k"), [("mlp", 1), ("maxout", 2)])
def test_resume_is_exact_on_mnist(configure, run_training, tmp_path, mnist_root, model, k):
    choices = [f"model={model}", f"k={k}", "data=mnist", f"data.root={mnist_root}", "trainer.max_epochs=2"]
    choices += ["trainer.limit_train_batches=6", "callbacks.monitor.every_n_batches=4"]
    whole = run_training(configure(*choices, folder="whole"))
    check_resume(configure, run_training, tmp_path, choices, whole, stop_at=9)


def check_resume(configure, run_training, tmp_path, choices, whole, stop_at):
    path = tmp_path / "stopped.ckpt"
    cfg = configure(*choices, folder="first")
    first = build(cfg)
    prepare(first, cfg)
    first.trainer.callbacks.append(StopAt(stop_at, path))
    with pytest.raises(StopAt.StoppedError):
        first.trainer.fit(first.module, first.data)
    torch.manual_seed(12345)  # the result must not depend on the global random state
    rest = run_training(configure(*choices, f"ckpt_path={path}", folder="rest"))

    assert rest.module.iteration == whole.module.iteration
    assert_same_bits(weights(whole), weights(rest))
    expected, found = scalars(tmp_path / "whole"), scalars(tmp_path / "rest")
    assert any(name.startswith("loss/") for name in expected), "the run is too short to have curves"
    for name, points in expected.items():
        assert [p for p in points if p[0] > stop_at] == found.get(name, []), name
    for a, b in zip(whole.trainer.optimizers, rest.trainer.optimizers, strict=True):
        assert a.param_groups[0]["lr"] == b.param_groups[0]["lr"]


@pytest.mark.slow
@pytest.mark.parametrize("preset", test_conf.PRESETS)
def test_every_preset_resumes_exactly(preset, tmp_path, run_training):
    """For every method, loss and penalty: stopped after two updates of G, and resumed for two more."""
    words = [preset, *test_conf.needs(preset), *test_conf.BARE, "data.batch_size=4"]
    cfg = test_conf.with_digits(tmp_path, *words)
    cfg.trainer.max_steps, cfg.trainer.max_epochs = 4 * cfg.k, -1
    whole = run_training(cfg)
    first = build(cfg)
    prepare(first, cfg)
    path = tmp_path / "stopped.ckpt"
    first.trainer.callbacks.append(StopAt(2 * cfg.k, path))
    with pytest.raises(StopAt.StoppedError):
        first.trainer.fit(first.module, first.data)
    torch.manual_seed(12345)
    cfg.ckpt_path = str(path)
    rest = run_training(cfg)
    assert rest.module.iteration == 4 * cfg.k
    assert_same_bits(weights(whole), weights(rest))


def test_resume_with_more_epochs_equals_a_longer_run(configure, run_training, tmp_path):
    constant = [*COMMON, "optim/schedule=constant"]  # a linear schedule depends on the length of the run
    whole = run_training(configure(*constant, folder="whole"))
    short = run_training(configure(*constant, "trainer.max_epochs=2", folder="short"))
    assert short.module.iteration == 20
    last = tmp_path / "short" / "checkpoints" / "last.ckpt"
    rest = run_training(configure(*constant, f"ckpt_path={last}", folder="rest"))
    assert_same_bits(weights(whole), weights(rest))


def test_same_seed_gives_same_bits_and_another_seed_differs(configure, run_training):
    cfg = ["trainer.max_epochs=1"]
    a, b = (run_training(configure(*cfg, folder=name)) for name in ("a", "b"))
    assert_same_bits(weights(a), weights(b))
    c = run_training(configure(*cfg, "seed=2", folder="c"))
    assert not torch.equal(weights(a)["generator.layers.0.weight"], weights(c)["generator.layers.0.weight"])


def test_generators_are_rebuilt_from_the_checkpoint_alone(configure, run_training, tmp_path):
    """The configuration in the checkpoint is complete and builds networks that fit the weights."""
    from omegaconf import OmegaConf

    from gan.runs.build import module
    from gan.runs.checkpoint import read

    game = run_training(configure("trainer.max_epochs=1", "model=maxout", "model.discriminator.hidden=[16,16]"))
    saved = read(tmp_path / "run" / "checkpoints" / "last.ckpt")
    again = module(OmegaConf.create(saved["hyper_parameters"]))
    again.load_state_dict(saved["state_dict"])
    z = game.module.latent.draw(RandomRows(), 4)
    for name, generator in game.module.generators().items():
        assert torch.equal(generator(z), again.generators()[name](z))


def test_resuming_a_finished_run_is_refused(configure, run_training, tmp_path):
    run_training(configure("trainer.max_epochs=1"))
    last = tmp_path / "run" / "checkpoints" / "last.ckpt"
    with pytest.raises(UserError, match=r"stands at iteration 21 and the run ends at 21: nothing is left to do"):
        run(configure(f"ckpt_path={last}", "trainer.max_epochs=1", folder="rest"))


STATES = {
    "no optimizers": lambda saved: saved.pop("optimizer_states"),
    "a number as optimizers": lambda saved: saved.update(optimizer_states=5),
    "empty optimizers": lambda saved: saved.update(optimizer_states=[{}, {}]),
    "optimizers without groups": lambda saved: saved.update(optimizer_states=[{"state": {}, "param_groups": []}] * 2),
    "a number as schedules": lambda saved: saved.update(lr_schedulers=3),
    "a number as loops": lambda saved: saved.update(loops={"fit_loop": 3}),
    "a list as callbacks": lambda saved: saved.update(callbacks=[1]),
    "a number as curves": lambda saved: saved.update(monitor=3),
    "only weights": lambda saved: [saved.pop(key) for key in ("epoch", "loops", "pytorch-lightning_version")],
}


@pytest.fixture(scope="module")
def short(tmp_path_factory):
    folder = tmp_path_factory.mktemp("short")
    trained_experiment(small(folder, "trainer.max_steps=2", "logger=none"))
    return torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)


@pytest.mark.parametrize("harm", STATES)
def test_checkpoint_without_the_state_of_its_training_is_refused(configure, tmp_path, short, harm):
    saved = dict(short)
    STATES[harm](saved)
    torch.save(saved, tmp_path / "x.ckpt")
    with pytest.raises(
        UserError, match=r"^ckpt_path=[^\n]*x.ckpt: its training cannot be resumed \([^\n]*\); train.py did"
    ):
        run(configure("trainer.max_steps=4", "logger=none", f"ckpt_path={tmp_path / 'x.ckpt'}"))
    assert not list((tmp_path / "run").glob("*/*.ckpt"))


def test_error_of_a_resumed_training_is_not_hidden(configure, tmp_path, short, monkeypatch):
    def fail(*_):
        raise KeyError("a mistake in the program")

    torch.save(short, tmp_path / "x.ckpt")
    monkeypatch.setattr("gan.methods.gan.GAN.train_on_batch", fail)
    with pytest.raises(KeyError, match="a mistake"):
        run(configure("trainer.max_steps=4", "logger=none", f"ckpt_path={tmp_path / 'x.ckpt'}"))


@pytest.mark.parametrize(("change", "end"), [("k=2", 30), ("data.batch_size=64", 63)])
def test_resume_with_other_batch_size_or_k_ends_at_total_iterations(configure, run_training, tmp_path, change, end):
    run_training(configure(*COMMON, "trainer.max_epochs=2", folder="first"))
    last = tmp_path / "first" / "checkpoints" / "last.ckpt"
    game = run_training(configure(*COMMON, f"ckpt_path={last}", change, folder="rest"))
    assert game.module.iteration == game.module.total_iterations == end
    assert game.trainer.optimizers[0].param_groups[0]["lr"] == 0


def test_resume_refuses_another_optimizer_or_network(configure, run_training, tmp_path):
    run_training(configure("trainer.max_epochs=1"))
    last = tmp_path / "run" / "checkpoints" / "last.ckpt"
    with pytest.raises(UserError, match=r"optim.generator.lr=0.5 differs from the checkpoint's"):
        run(configure(f"ckpt_path={last}", "optim.generator.lr=0.5", folder="rest"))
    with pytest.raises(UserError, match="another network"):
        run(configure(f"ckpt_path={last}", "model.generator.hidden=[16]", folder="rest"))
