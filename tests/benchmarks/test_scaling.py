"""Scaling: every axis has points and exponents."""

import math

import pytest
import torch
from PIL import Image

from benchmarks import scaling
from benchmarks.scaling import AXES, MEASURES, exponents, folder_start_ups, main
from benchmarks.synthetic import Synthetic, noise


@pytest.mark.slow
def test_record_has_points_and_exponents_of_every_axis(capsys, monkeypatch, tmp_path):
    # In this process: starting others takes seconds.
    monkeypatch.setattr(scaling, "measured", lambda point, seconds: scaling.play(point, seconds, str(tmp_path)))
    words = "--seconds 0 --image-size 28 --images 10000 2000000000 --batch-size 64 --k 1 2 --folder nowhere"
    record = main(words.split())
    assert record["axes"].keys() == AXES.keys()
    assert [point["k"] for point in record["axes"]["k"]["points"]] == [1, 2]
    for point in record["axes"]["k"]["points"]:
        assert point["minibatch_ms"]["median"] > 0
        assert point["peak_mib"] >= point["mib_before_data"] > 0
        assert point["mib_of_images"] == pytest.approx(7.48, abs=0.01)
    (found,) = record["axes"]["k"]["exponents"]
    assert found.keys() == set(MEASURES)
    assert record["axes"]["images"]["exponents"] == []  # the other point was left out
    output = capsys.readouterr().out
    assert "images=2,000,000,000: left out" in output
    assert "nowhere does not exist: left out" in output


def test_exponents_of_power_laws():
    def measures(n):
        return {
            "minibatch_ms": {"median": 3.0 * n},
            "processor_ms": {"median": 1.0},
            "load_seconds": n**2,
            "order_seconds": 7,
            "peak_mib": math.sqrt(n),
        }

    points = [{"n": n} | measures(n) for n in (1, 10, 40)]
    for found in exponents(points, "n"):
        assert list(found.values()) == pytest.approx([1, 0, 2, 0, 0.5])


def test_folder_benchmark_times_first_and_second_start(tmp_path):
    for number in range(80):
        Image.new("RGB", (8, 8), (number, 0, 0)).save(tmp_path / f"{number}.png")
    found = folder_start_ups(tmp_path)
    assert found.keys() == {"training_images", "first_start", "second_start"}
    assert found["training_images"] == 64
    assert not (tmp_path / ".gan_cache").exists()


def test_noise_is_uniform_and_a_function_of_its_seed():
    images = noise(1000, (1, 9, 9), seed=3).images
    assert images.shape == (1000, 1, 9, 9)
    assert images.dtype == torch.uint8
    assert torch.equal(images, noise(1000, (1, 9, 9), seed=3).images)
    assert not torch.equal(images, noise(1000, (1, 9, 9), seed=4).images)
    shares = torch.bincount(images.flatten().int(), minlength=256) / images.numel()
    assert shares.min() > 0.5 / 256
    assert shares.max() < 1.5 / 256
    data = Synthetic(images=300, batch_size=64, image_size=5, channels=3, classes=0, seed=1)
    data.setup()
    assert data.describe() == "Synthetic: 300 images 3×5×5"
    assert not torch.equal(data.splits["valid"].images, data.splits["test"].images)
