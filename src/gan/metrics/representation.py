"""Metrics of an encoder: classes of nearest neighbors in its layers, and reconstructions."""

import math
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import normalize

from gan.core.checks import check_integer
from gan.metrics.base import Case, Measure, Metric
from gan.metrics.labels import known, share
from gan.metrics.neighbours import nearest

QUERIES = 1000  # compared with all points at a time


def neighbours_labels(queries: Tensor, points: Tensor, labels: Tensor, cosine: bool = False) -> Tensor:
    """The label of the point nearest to each query, (N,), by exhaustive search; of equally near points the first.

    Args:
        queries: (N, F).
        points: (P, F), on the same device.
        labels: (P,).
        cosine: whether the nearest point is that at the smallest angle; else that at the smallest Euclidean distance.
    """
    if cosine:
        queries, points = normalize(queries.double()), normalize(points.double())
    return torch.cat([labels[nearest(some, points)[1]] for some in queries.split(QUERIES)])


def paired_difference(a: Tensor, b: Tensor) -> tuple[float, float]:
    """The mean of a - b and its standard error over pairs, as in McNemar's test.

    Args:
        a, b: 0 or 1 for each image, float64 (N,).
    """
    difference = a - b
    return float(difference.mean()), float(difference.std(correction=0) / math.sqrt(len(a)))


class NearestNeighbour(Metric):
    """Share of test images whose nearest training image has their class, in the encoder's layers.

    Measured in its last hidden layer and in the code. An untrained encoder does well already, so the difference to
    the same encoder before training is given, too, with its standard error over the same test images. Donahue et al.
    2017, section 4.1.

    Args:
        cosine: whether the smallest angle decides; else the smallest Euclidean distance, as in the paper.
    """

    needs, better = frozenset({"encoder"}), "higher"

    def __init__(self, cosine: bool = False) -> None:
        self.cosine = cosine
        self._control: tuple[Any, dict[str, Tensor] | None] = (None, None)  # of the latest model: raw and ema share it

    def __call__(self, case: Case) -> list[Measure]:
        control, measures = self.control(case), []
        for layer, hits in self.right(case, case.model.encoder(case.generator)).items():
            suffix = "" if layer == "hidden" else f"_{layer}"
            found: dict[str, Any] = {"layer": layer, "distance": "cosine" if self.cosine else "Euclidean"}
            found |= {"training_images": len(case.train)}
            measures.append(share(f"nearest_neighbour_accuracy{suffix}", hits, found))
            if control is not None:
                value, error = paired_difference(hits, control[layer])
                found = {"untrained": float(control[layer].mean())} | found
                details = {"standard_error_over": "images, paired"}
                measures.append(Measure(f"nearest_neighbour_gain{suffix}", value, "", error, details, found))
        return measures

    def control(self, case: Case) -> dict[str, Tensor] | None:
        """As :meth:`right`, of the encoder before training; None if its weights cannot be had."""
        if self._control[0] is not case.model:
            encoder = case.model.untrained_encoder(case.train.stored)
            self._control = (case.model, None if encoder is None else self.right(case, encoder))
        return self._control[1]

    def right(self, case: Case, encoder: torch.nn.Module) -> dict[str, Tensor]:
        """Whether each test image has the class of its nearest neighbor, float64 (N,) on the CPU, by layer."""
        test, train = (case.model.describe_by(encoder, images.stored) for images in (case.test, case.train))
        labels, of_test = known(case.train), known(case.test)
        return {
            layer: (neighbours_labels(test[layer], train[layer], labels.to(train[layer].device), self.cosine).cpu())
            .eq(of_test.cpu())
            .double()
            for layer in test
        }


class Reconstruction(Metric):
    """Mean ‖x - G(E(x))‖ over test images, in the Euclidean norm of pixels in [0, 1].

    Two baselines: the reconstruction of another test image in place of that of x (Donahue et al. 2017 print it), and
    the mean training image, the best constant in the mean square.

    Args:
        seed: of the choice of the other images.
    """

    needs, better = frozenset({"encoder"}), "lower"

    def __init__(self, seed: int = 0) -> None:
        check_integer(seed=seed)
        self.seed = seed

    def least_images(self) -> dict[str, int]:
        return {"test": 2}

    def __call__(self, case: Case) -> list[Measure]:
        x = case.test.pixels.cpu()
        made = case.model.reconstruct(case.generator, x, case.test.labels)
        order = torch.randperm(len(x), generator=torch.Generator().manual_seed(self.seed))
        mean = case.train.pixels.mean(0).cpu()
        others = torch.empty_like(made)
        others[order] = made[order.roll(1)]
        squared = (x - made).square().mean()
        return [
            _mean("reconstruction_error", x - made, {"mean_squared_error_per_pixel": float(squared)}),
            _mean("reconstruction_error_of_others", x - others, {}),
            _mean("reconstruction_error_of_mean_image", x - mean, {}),
        ]


def _mean(name: str, difference: Tensor, found: dict) -> Measure:
    norms = difference.flatten(1).double().norm(dim=1)
    error = float(norms.std() / math.sqrt(len(norms)))
    return Measure(name, float(norms.mean()), "", error, {"standard_error_over": "images"}, found)
