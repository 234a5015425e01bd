"""Nearest neighbors in an encoder's layers, and reconstructions, against counts by hand."""

import math

import pytest
import torch

from gan.evaluation.reference import load_reference
from gan.metrics import NearestNeighbour, Reconstruction
from gan.metrics.base import Case
from gan.metrics.features import Pixels
from gan.metrics.representation import neighbours_labels, paired_difference
from gan.runs.build import build
from gan.runs.run import Run
from tests.metrics.cases import points


def labelled(rows, labels):
    images = points(torch.tensor(rows))
    images.labels = torch.tensor(labels)
    return images


@pytest.mark.parametrize("cosine", [False, True])
def test_labels_are_those_of_brute_force(monkeypatch, cosine):
    monkeypatch.setattr("gan.metrics.representation.QUERIES", 7)
    torch.manual_seed(0)
    queries, train, labels = torch.randn(40, 3), torch.randn(90, 3), torch.randint(5, (90,))
    if cosine:
        index = torch.nn.functional.cosine_similarity(queries[:, None], train[None], dim=2).argmax(1)
    else:
        index = (queries[:, None] - train[None]).norm(dim=2).argmin(1)
    assert torch.equal(neighbours_labels(queries, train, labels, cosine), labels[index])


def test_angle_and_distance_differ():
    queries, train, labels = torch.tensor([[1.0, 0.0]]), torch.tensor([[9.0, 1.0], [0.5, 0.5]]), torch.tensor([1, 2])
    assert neighbours_labels(queries, train, labels).tolist() == [2]
    assert neighbours_labels(queries, train, labels, cosine=True).tolist() == [1]


def test_paired_difference_is_that_of_mcnemar():
    """b images right by the first alone and c by the second alone: (b - c) / n and √(b + c - (b - c)² / n) / n."""
    a = torch.tensor([1, 1, 1, 1, 0, 0, 1, 0.0, 0, 0]).double()
    b = torch.tensor([1, 0, 0, 0, 1, 0, 1, 0.0, 0, 0]).double()
    value, error = paired_difference(a, b)
    assert value == pytest.approx((3 - 1) / 10)
    assert error == pytest.approx(math.sqrt(3 + 1 - (3 - 1) ** 2 / 10) / 10)
    assert paired_difference(a, a) == (0.0, 0.0)


class Model:
    """An encoder that doubles, with one hidden layer that reverses; untrained it gives zeros, nearest to the first."""

    def encoder(self, name):
        assert name == "ema"
        return "trained"

    def untrained_encoder(self, images):
        return "untrained"

    def describe_by(self, encoder, images):
        rows = images.flatten(1)
        if encoder == "untrained":
            return {"hidden": torch.zeros_like(rows), "code": torch.zeros_like(rows)}
        return {"hidden": -rows, "code": 2 * rows}

    def reconstruct(self, name, images, labels):
        assert name == "ema"
        return images + 1


TRAIN = labelled([[0.0], [1.0], [2.0]], [5, 6, 7])
TEST = labelled([[0.1], [0.9], [2.2], [1.8]], [5, 6, 6, 7])


def test_accuracy_gain_and_errors_by_hand():
    case = Case(TEST, TRAIN, TEST, TEST, [], Model(), "ema")
    found = {measure.name: measure for measure in NearestNeighbour()(case)}
    assert list(found) == [
        *("nearest_neighbour_accuracy", "nearest_neighbour_gain"),
        *("nearest_neighbour_accuracy_code", "nearest_neighbour_gain_code"),
    ]
    right, control = [1, 1, 0, 1], [1, 0, 0, 0]  # of zeros, the first training image is the nearest: class 5
    assert found["nearest_neighbour_accuracy"].value == pytest.approx(3 / 4)
    assert found["nearest_neighbour_accuracy"].standard_error == pytest.approx(math.sqrt(3 / 16 / 4))
    gain = found["nearest_neighbour_gain"]
    difference = torch.tensor(right).double() - torch.tensor(control).double()
    assert gain.value == pytest.approx(difference.mean().item())
    assert gain.standard_error == pytest.approx(difference.std(correction=0).item() / 2)
    assert gain.found["untrained"] == pytest.approx(1 / 4)
    assert gain.found["distance"] == "Euclidean"


def test_without_initial_weights_there_is_no_control():
    class Alone(Model):
        def untrained_encoder(self, images):
            return None

    measures = NearestNeighbour()(Case(TEST, TRAIN, TEST, TEST, [], Alone(), "ema"))
    assert [m.name for m in measures] == ["nearest_neighbour_accuracy", "nearest_neighbour_accuracy_code"]


def test_reconstruction_error_and_its_baselines_by_hand():
    error, others, mean = Reconstruction()(Case(TEST, TRAIN, TEST, TEST, [], Model(), "ema"))
    assert error.value == pytest.approx(1.0)
    assert error.found["mean_squared_error_per_pixel"] == pytest.approx(1.0)
    assert mean.value == pytest.approx((0.9 + 0.1 + 1.2 + 0.8) / 4)  # the mean training image is 1
    x = TEST.pixels.flatten()
    possible = {round((x[i] - x[j] - 1).abs().item(), 4) for i in range(4) for j in range(4) if i != j}
    assert min(possible) <= others.value <= max(possible)


def test_no_image_gets_its_own_reconstruction_as_a_baseline():
    class Exact(Model):
        def reconstruct(self, name, images, labels):
            return images.clone()

    rows = labelled([[float(i)] for i in range(50)], list(range(50)))
    for seed in range(5):
        error, others, _ = Reconstruction(seed)(Case(rows, TRAIN, rows, rows, [], Exact(), "ema"))
        assert error.value == 0
        assert others.value >= 1


def test_a_run_has_the_scores_of_its_initial_weights(configure, run_training):
    """Trained at a rate of 0, the encoder is its own control, batch normalization included."""

    narrow = [f"model.{name}.hidden=[16,12]" for name in ("generator", "encoder", "discriminator")]
    words = ["method=bigan", "latent=uniform", "latent.dim=3", *narrow, "recipe.lr=0", "trainer.max_epochs=1"]
    cfg = configure(*words, "callbacks=none", "logger=none", "features=pixels")
    game = run_training(cfg)
    torch.manual_seed(1)
    run = Run(None, cfg, lambda: game.module, data=game.data)
    fresh = build(cfg).module.encoder.state_dict()
    before = torch.get_rng_state()
    control = run.sampler.untrained_encoder(game.data.splits["train"].images)
    assert torch.equal(before, torch.get_rng_state())
    for name, value in control.state_dict().items():
        assert torch.equal(value, fresh[name]) or "running" in name or "num_batches" in name
    assert control.hidden.norms[1].running_mean.abs().max() > 0
    metrics = [NearestNeighbour(), Reconstruction()]
    reference = load_reference(game.data, Pixels(), torch.device("cpu"), metrics)
    test = reference.images("test")
    rows = {row.measure.name: row.measure for row in reference.measure(metrics[0], "raw", test, run.sampler)}
    assert 0.3 < rows["nearest_neighbour_accuracy"].value < 1
    assert abs(rows["nearest_neighbour_gain"].value) < 0.1  # the two differ in the statistics of the batches
