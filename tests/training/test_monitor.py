"""Logged curves against the reported values, and the guard against NaN and infinity."""

import math

import pytest
import torch
from pytorch_lightning.callbacks import Callback
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from gan.app.prepare import prepare
from gan.core.errors import UserError
from gan.runs.build import build
from gan.runs.checkpoint import read
from gan.training.monitor import scalars_of

SHORT = ["trainer.max_epochs=2", "data.batch_size=128", "callbacks.monitor.every_n_batches=4", "k=3"]  # 20 batches


class Record(Callback):
    def __init__(self):
        self.outputs, self.norms = [], {"D": [], "G": []}

    def on_before_optimizer_step(self, trainer, pl_module, optimizer):
        player = "DG"[trainer.optimizers.index(getattr(optimizer, "optimizer", optimizer))]
        squares = [p.grad.double().square().sum() for g in optimizer.param_groups for p in g["params"]]
        self.norms[player].append((pl_module.iteration + 1, torch.stack(squares).sum().sqrt().item()))

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        self.outputs.append({name: value.item() for name, value in outputs.items()})


def curves(folder):
    events = EventAccumulator(str(folder), size_guidance={"scalars": 0, "images": 0})
    events.Reload()
    return events


def test_logged_points_are_means_since_the_previous_point(configure, tmp_path):
    cfg = configure(*SHORT, "callbacks.sample_grids.every_n_batches=8")
    game = build(cfg)
    prepare(game, cfg)
    record = Record()
    game.trainer.callbacks.insert(0, record)
    game.trainer.fit(game.module, game.data)
    events = curves(tmp_path / "run")

    assert set(events.Tags()["scalars"]) - {"hp_metric"} == {
        *("D(x)", "D(G(z))", "rate/true_positive", "rate/true_negative", "loss/discriminator", "loss/generator"),
        *scalars_of(("discriminator", "generator")),
    }
    for name in ("D(x)", "D(G(z))", "loss/discriminator", "loss/generator"):
        points = events.Scalars(name)
        assert [point.step for point in points] == [4, 8, 12, 16, 20]
        for point in points:
            window = [output[name] for output in record.outputs[point.step - 4 : point.step] if name in output]
            assert point.value == pytest.approx(sum(window) / len(window), rel=1e-5)
    for player, name in (("D", "gradient_norm/discriminator"), ("G", "gradient_norm/generator")):
        for point in events.Scalars(name):
            expected = [norm for iteration, norm in record.norms[player] if iteration <= point.step][-1]
            assert point.value == pytest.approx(expected, rel=1e-4)
    assert [image.step for image in events.Images("samples/raw")] == [0, 8, 16, 20]
    assert [image.step for image in events.Images("samples/ema")] == [0, 8, 16, 20]
    assert events.Scalars("epoch")[-1].value == 2
    assert all(point.value > 0 for point in events.Scalars("speed/images_per_second"))


def test_d_of_x_rises_and_d_of_g_of_z_falls_with_a_frozen_generator(configure, run_training):
    """With a frozen G, D learns to separate: D(x) approaches 1 and D(G(z)) approaches 0."""
    game = run_training(
        configure(*SHORT, "optim.generator.lr=0", "optim.discriminator.lr=0.01", "trainer.max_epochs=4", "logger=none")
    )
    point = next(c for c in game.trainer.callbacks if type(c).__name__ == "Monitor").latest
    assert point["D(x)"] > 0.9
    assert point["D(G(z))"] < 0.1


@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.parametrize("at", [6, 8, 15, 20])
def test_non_finite_loss_stops_the_run_and_keeps_the_last_checkpoint(configure, tmp_path, bad, at):
    cfg = configure(*SHORT, "callbacks.checkpoint.every_n_batches=2", "callbacks.guard.every_n_batches=5", "k=1")
    game = build(cfg)
    prepare(game, cfg)
    honest = game.module.loss.generator
    game.module.loss.generator = lambda t: honest(t) * (bad if game.module.iteration + 1 == at else 1)
    with pytest.raises(UserError, match=rf"loss/generator became -?{bad} at iteration {at}: .*last good.*last.ckpt"):
        game.trainer.fit(game.module, game.data)
    saved = read(tmp_path / "run" / "checkpoints" / "last.ckpt")
    assert saved["iteration"] < at
    assert saved["iteration"] >= at - 5
    assert all(value.isfinite().all() for value in saved["state_dict"].values())


def test_non_finite_weights_are_never_saved(configure, tmp_path):
    cfg = configure(*SHORT, "callbacks.checkpoint.every_n_batches=2", "k=1")
    game = build(cfg)
    prepare(game, cfg)

    class Spoil(Callback):
        def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
            if pl_module.iteration == 6:
                next(pl_module.generator.parameters()).data[0] = math.inf

    game.trainer.callbacks.insert(0, Spoil())
    with pytest.raises(UserError, match=r"the weight generator\..* became NaN or infinite at iteration 6"):
        game.trainer.fit(game.module, game.data)
    assert read(tmp_path / "run" / "checkpoints" / "last.ckpt")["iteration"] == 4
