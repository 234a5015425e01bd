"""Scores of samples and of real images (the floor), and the reference images that they are compared with."""

import itertools
from pathlib import Path

import pytest
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf
from PIL import Image

from gan.app.command_line import CONF
from gan.app.train import train
from gan.core.errors import UserError
from gan.core.images import scale
from gan.data.base import Split
from gan.evaluation.evaluate import evaluate, supported_metrics
from gan.evaluation.records import FLOOR, read
from gan.evaluation.reference import choose_images, load_reference
from gan.metrics import (
    ClassFrechet,
    ClassHistogram,
    DensityCoverage,
    Frechet,
    InceptionScore,
    Kernel,
    Memorization,
    Parzen,
    PrecisionRecall,
)
from gan.metrics.base import Case, Measure, Metric
from gan.metrics.features import Pixels, Shipped
from gan.runs.instantiate import part
from gan.runs.run import open_run
from tests.conftest import composed

CPU = torch.device("cpu")


@pytest.fixture
def run(configure, run_training):
    cfg = configure("trainer.max_steps=5", "logger=none")
    run_training(cfg)
    opened = open_run(cfg.output_dir)
    opened.load_data()
    return opened


class RecordingMetric(Metric):
    """Records the cases that it was called with."""

    needs, floor = frozenset(), "valid"

    def __init__(self):
        self.cases = []

    def __call__(self, case):
        self.cases.append(case)
        return [Measure("first", float(len(self.cases))), Measure("second", 0.0)]


def test_metric_gets_the_samples_and_the_floor_images(run):
    recorder = RecordingMetric()
    reference = load_reference(run.data, Pixels(), CPU, [Frechet()])
    rows, samples = evaluate(run.sampler, reference, [recorder], ["raw", "ema"], num_samples=150, seed=5)
    assert [(row.generator, row.measure.name) for row in rows] == [
        (generator, name) for generator in ("raw", "ema", FLOOR) for name in ("first", "second")
    ]
    assert {row.samples for row in rows} == {150}
    raw, ema, floor = recorder.cases
    assert torch.equal(samples["ema"], run.sampler.sample("ema", run.sampler.latents(150, 5)[0]))
    assert torch.equal(ema.samples.pixels, samples["ema"])
    assert torch.equal(raw.samples.pixels, samples["raw"])
    assert torch.equal(floor.samples.pixels, scale(choose_images(run.data.splits["valid"], 150, 5).images))
    for name in ("train", "valid", "test"):
        assert torch.equal(getattr(raw, name).pixels, scale(run.data.splits[name].images))
    assert raw.folds[0]["valid"] is raw.valid
    assert raw.folds[0]["test"] is raw.test


def test_default_number_of_samples_equals_the_training_images(run):
    reference = load_reference(run.data, Pixels(), CPU, [Frechet()])
    rows, samples = evaluate(run.sampler, reference, [Frechet()], ["ema"])
    assert [row.samples for row in rows] == [1397, 1397]  # as many as there are training images
    run.data.samples_to_score = 300
    assert len(evaluate(run.sampler, reference, [Frechet()], ["ema"])[1]["ema"]) == 300
    assert len(samples["ema"]) == 1397


def test_chosen_floor_images_are_distinct(run):
    split = run.data.splits["train"]
    chosen = choose_images(split, 300, 5).images
    everything = {tuple(image.flatten().tolist()) for image in split.images}
    kept = {tuple(image.flatten().tolist()) for image in chosen}
    assert kept <= everything
    assert len(kept) == 300
    assert not torch.equal(chosen, choose_images(split, 300, 6).images)
    assert len(choose_images(split, 10_000, 5)) == 1397


def test_validation_scores_use_no_test_image(run):
    recorder = RecordingMetric()
    test = run.data.splits.pop("test")
    run.data.splits["test"] = type(test)(torch.full_like(test.images, 99), test.labels)
    reference = load_reference(run.data, Pixels(), CPU, [Frechet()], split="valid")
    evaluate(run.sampler, reference, [recorder], ["ema"], num_samples=10)
    for case in recorder.cases:
        for images in (case.test, case.folds[0]["valid"], case.folds[0]["test"]):
            assert torch.equal(images.pixels, scale(run.data.splits["valid"].images))


METRICS = [Kernel(), InceptionScore(), PrecisionRecall(k=20), DensityCoverage(k=20), Frechet()]


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: type(metric).__name__)
def test_metric_that_needs_more_images_is_left_out(run, metric, caplog):
    """The numbers of images that a metric names are those with which it can be computed."""
    caplog.set_level("INFO")
    whole = run.data.splits
    for test, count in itertools.product((2, 19, 20, 21, 30), (2, 9, 10, 19, 20, 21, 22)):
        run.data.splits = {"train": whole["train"][:22], "valid": whole["valid"][:2], "test": whole["test"][:test]}
        reference = load_reference(run.data, Shipped("digits"), CPU, [metric])
        samples = reference.see(whole["train"].images[:count])
        try:
            metric(Case(samples, *map(reference.images, ("train", "valid", "test")), reference.folds))
        except ValueError:
            assert supported_metrics([metric, Parzen()], reference, num_samples=count)[1:] == []
            assert f"left out: {type(metric).__name__} needs at least " in caplog.messages[-1]
            with pytest.raises(
                UserError, match=r"needs at least .*, there are \d+; take other metrics, or more images"
            ):
                supported_metrics([metric], reference, num_samples=count)
        else:
            assert supported_metrics([metric], reference, num_samples=count) == [metric]


@pytest.mark.parametrize(
    ("hidden", "count", "there"), [(None, 400, None), (None, 12, 0), ("class 3", 400, 1), ("a label", 400, 0)]
)
def test_classes_with_too_few_images_are_reported_before_the_samples(configure, run_training, hidden, count, there):
    """Each class needs two samples, two test images and two of the floor's images."""
    cfg = configure("conditioning=concatenation", "latent=labelled", "trainer.max_steps=1", "logger=none")
    run_training(cfg)
    run = open_run(cfg.output_dir)
    splits, test = run.load_data().splits, run.data.splits["test"]
    if hidden == "class 3":
        splits["test"] = test[torch.cat([(test.labels != 3).nonzero()[:, 0], (test.labels == 3).nonzero()[:1, 0]])]
    if hidden == "a label":
        splits["test"] = Split(test.images, torch.where(torch.arange(len(test)) == 7, -1, test.labels))
    reference = load_reference(run.data, Shipped("digits"), CPU, [ClassFrechet()])
    if there is None:
        rows, _ = evaluate(run.sampler, reference, [ClassFrechet()], ["raw"], num_samples=count)
        assert [row.generator for row in rows] == ["raw", FLOOR]
        return
    run.sampler.sample = None
    kinds = "samples, training and test images of each class"
    with pytest.raises(UserError, match=f"^ClassFrechet needs at least 2 {kinds}, there are {there};"):
        evaluate(run.sampler, reference, [ClassFrechet()], ["raw"], num_samples=count)


def test_every_metric_names_numbers_of_images():
    for path in (CONF / "metrics").glob("*.yaml"):
        for metric in instantiate(OmegaConf.load(path)).values() if path.stem not in ("all", "none") else ():
            assert metric.least_images().keys() <= {"samples", "test", "class"}, path


@pytest.mark.parametrize(("words", "ends"), [(["metrics=[kernel]"], True), (["metrics=[kernel,frechet]"], False)])
def test_small_folder_is_reported_before_the_training(configure, tmp_path, caplog, words, ends):
    for number in range(20):
        Image.new("L", (8, 8), number).save(tmp_path / f"{number}.png")
    caplog.set_level("INFO")
    sizes = ["data.batch_size=4", "data.image_size=8", "data.channels=1", "trainer.max_steps=2"]
    cfg = configure("data=folder", f"data.root={tmp_path}", *sizes, *words)
    if ends:
        with pytest.raises(UserError, match="Kernel needs at least 20 test images, there are 2;"):
            train(cfg)
        assert not Path(cfg.output_dir, "checkpoints").exists()
    else:
        train(cfg)
        messages = [message.split(",")[0] for message in caplog.messages]
        lines = [next(i for i, m in enumerate(messages) if m.startswith(s)) for s in ("left out: Kernel", "done: 2")]
        assert lines == sorted(lines)
        assert {record["metric"] for record in read(Path(cfg.output_dir, "metrics.json"))} == {"frechet_distance"}


def test_reference_holds_every_fold(tmp_path):
    data = instantiate(
        {
            "_target_": "gan.data.digits.Digits",
            "batch_size": 2,
            "image_size": 8,
            "channels": 1,
            "classes": 10,
            "seed": 0,
        }
    )
    data.setup()
    pairs = [{"valid": data.splits["valid"][:20], "test": data.splits["test"][:30]}, data.folds()[0]]
    data.folds = lambda: pairs
    folds = load_reference(data, Pixels(), CPU, [Frechet()]).folds
    assert [{name: len(images) for name, images in fold.items()} for fold in folds] == [
        {"valid": 20, "test": 30},
        {"valid": 200, "test": 200},
    ]


def test_floor_is_computed_once(run):
    recorder = RecordingMetric()
    reference = load_reference(run.data, Pixels(), CPU, [Frechet()])
    for _ in range(3):
        rows, _ = evaluate(run.sampler, reference, [recorder], ["ema"], num_samples=10)
        assert rows[-2].generator == FLOOR
    assert len(recorder.cases) == 4
    evaluate(run.sampler, reference, [recorder], ["ema"], num_samples=11)
    assert len(recorder.cases) == 6


def test_metrics_share_the_floor_images(run):
    first, second = RecordingMetric(), RecordingMetric()
    reference = load_reference(run.data, Pixels(), CPU, [])
    evaluate(run.sampler, reference, [first, second], ["raw"], num_samples=50, seed=5)
    assert first.cases[-1].samples is second.cases[-1].samples
    evaluate(run.sampler, reference, [RecordingMetric(), second], ["raw"], num_samples=50, seed=6)
    assert first.cases[-1].samples is not second.cases[-1].samples


def test_real_images_score_better_than_an_untrained_generator(run):
    reference = load_reference(run.data, Shipped("digits"), CPU, [Frechet()])
    for metric in (Frechet(), InceptionScore(), ClassHistogram(), Parzen()):
        rows, _ = evaluate(run.sampler, reference, [metric], ["raw"], num_samples=500)
        samples, floor = (row.measure.value for row in rows)
        assert (floor < samples) == (metric.better == "lower"), metric


def test_unsupported_metric_is_left_out_and_logged(run, caplog):
    reference = load_reference(run.data, Pixels(), CPU, [Frechet()])
    with caplog.at_level("INFO"):
        rows, _ = evaluate(run.sampler, reference, [InceptionScore(), Frechet()], ["ema"], num_samples=100)
    assert {row.measure.name for row in rows} == {"frechet_distance"}
    assert (
        "left out: InceptionScore needs log_probabilities, which neither features=pixels nor this method gives"
        in caplog.text
    )
    with pytest.raises(
        UserError,
        match=r"InceptionScore needs log_probabilities, which neither .* nor this method gives; take other metrics",
    ):
        evaluate(run.sampler, reference, [InceptionScore()], ["ema"], num_samples=100)


def test_memorization_separates_copies_from_new_images(run):
    reference = load_reference(run.data, Pixels(), CPU, [Frechet()])
    copies = reference.see(run.data.splits["train"].images[:200])
    (copied,) = reference.measure(Memorization(), "copies", copies)
    (floor,) = reference.floor(Memorization(), 200, 0)
    assert copied.measure.value == 1.0
    assert abs(floor.measure.value - 0.5) < 4 * floor.measure.standard_error


def test_no_floor_when_images_would_be_compared_with_themselves(run):
    reference = load_reference(run.data, Pixels(), CPU, [Memorization()], split="valid")
    assert reference.floor(Memorization(), 100, 0) == []
    assert len(reference.floor(Frechet(), 100, 0)) == 1


def test_endless_data_is_refused(configure, run_training):
    cfg = configure("data=gaussian", "latent.dim=8", "trainer.max_steps=3", "logger=none")
    run_training(cfg)
    with pytest.raises(UserError, match=r"endless numbers.*: metrics need a set of images"):
        load_reference(open_run(cfg.output_dir).load_data(), Pixels(), CPU, [Frechet()])


def test_unneeded_feature_extractor_is_not_prepared(run):
    class CostlyExtractor(Pixels):
        name = "costly"

        def prepare(self, data):
            raise AssertionError("trained in vain")

    reference = load_reference(run.data, CostlyExtractor(), CPU, [Parzen()])
    rows, _ = evaluate(run.sampler, reference, [Parzen()], ["ema"], num_samples=50)
    assert {row.features for row in rows} == {"pixels"}
    with pytest.raises(AssertionError, match="in vain"):
        load_reference(run.data, CostlyExtractor(), CPU, [Parzen(), Frechet()])


def test_each_score_names_its_feature_extractor(run):
    reference = load_reference(run.data, Shipped("digits"), CPU, [Frechet(), Parzen()], split="valid")
    rows, _ = evaluate(run.sampler, reference, [Frechet(), Parzen()], ["ema"], num_samples=50)
    assert {(row.measure.name, row.features) for row in rows} == {
        ("frechet_distance", reference.net.name),
        ("parzen_log_likelihood", "pixels"),
    }
    assert {row.split for row in rows} == {"valid"}


def test_non_finite_samples_are_refused(run):
    with torch.no_grad():
        next(run.module.generator.parameters()).fill_(torch.nan)
    reference = load_reference(run.data, Pixels(), CPU, [Frechet()])
    with pytest.raises(UserError, match=r"the samples of the raw generator are not finite"):
        evaluate(run.sampler, reference, [Frechet()], ["raw"], num_samples=50)


def test_too_few_samples_are_reported(run):
    reference = load_reference(run.data, Pixels(), CPU, [Frechet()])
    with pytest.raises(UserError, match=r"^Kernel needs at least 20 samples and training images, there are 15; take"):
        evaluate(run.sampler, reference, [Kernel()], ["ema"], num_samples=15)


def test_metric_of_the_model_gets_the_model_and_has_no_floor(run):
    class Bound(Metric):
        needs = frozenset({"bound"})

        def __call__(self, case):
            return [Measure("bound", case.model.bound(case.test.pixels))]

    class Model:
        offers = frozenset({"bound"})
        latents, sample = run.sampler.latents, run.sampler.sample

        def bound(self, images):
            return float(len(images))

    reference = load_reference(run.data, Pixels(), CPU, [Bound()])
    rows, _ = evaluate(Model(), reference, [Bound()], ["raw"], num_samples=10)
    assert [(row.generator, row.measure.value) for row in rows] == [("raw", len(run.data.splits["test"]))]
    with pytest.raises(UserError, match="Bound needs bound, which neither features=pixels nor this method gives"):
        evaluate(run.sampler, reference, [Bound()], ["raw"], num_samples=10)


def test_no_argument_of_a_metric_hides_the_number_of_images_that_it_needs():
    """`metrics.modes.least` is another number."""
    cfg = composed("metrics=all")
    for name in cfg.metrics:
        numbers = part(cfg, f"metrics.{name}").least_images().values()
        assert all(isinstance(number, int) for number in numbers), name
