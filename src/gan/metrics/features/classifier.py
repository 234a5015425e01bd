"""A small convolutional classifier; its last hidden layer is a feature space for images with classes."""

import errno
import hashlib
import json
import logging
import math
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from gan.core.errors import UserError, one_line
from gan.core.files import write_whole
from gan.core.images import scale
from gan.core.random import derive, forked, reseed
from gan.metrics.features.base import FeatureExtractor, View

log = logging.getLogger(__name__)

WEIGHTS = Path(__file__).parent / "weights"  # the packaged weights
CPU = torch.device("cpu")
FEATURES = 128
BATCH = 100  # images per forward pass outside of training
_SMALLEST_SIDE = 8  # largest side of the feature maps before the dense layer


class Classifier(nn.Module):
    """Stages of two convolutions and a pooling, a dense layer of 128 features, one logit per class.

    Each stage doubles the channels and halves the side. There are as many stages as reduce the side to at most 8
    pixels, and at least two.

    Args:
        channels: of the images.
        image_size: their height and width.
        classes: at least 2.
        width: channels of the first stage.
    """

    def __init__(self, channels: int, image_size: int, classes: int, width: int = 24) -> None:
        super().__init__()
        self.shape = {"channels": channels, "image_size": image_size, "classes": classes, "width": width}
        layers: list[nn.Module] = []
        side, stages, before = image_size, max(2, math.ceil(math.log2(image_size / _SMALLEST_SIDE))), channels
        for stage in range(stages):
            after = width * 2**stage
            for _ in range(2):
                layers += [nn.Conv2d(before, after, 3, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU()]
                before = after
            layers += [nn.MaxPool2d(2, ceil_mode=True)]
            side = -(-side // 2)
        self.convolutions = nn.Sequential(*layers)
        self.dense = nn.Sequential(
            nn.Dropout(0.3), nn.Linear(before * side**2, FEATURES, bias=False), nn.BatchNorm1d(FEATURES), nn.ReLU()
        )
        self.output = nn.Sequential(nn.Dropout(0.3), nn.Linear(FEATURES, classes))

    def features(self, images: Tensor) -> Tensor:
        """(B, C, H, W) in [0, 1] to non-negative features (B, 128)."""
        return self.dense(self.convolutions(2 * images - 1).flatten(1))

    def forward(self, images: Tensor) -> Tensor:
        """(B, C, H, W) in [0, 1] to logits (B, classes)."""
        return self.output(self.features(images))


@dataclass(frozen=True)
class Recipe:
    """How a classifier is trained: Adam, a one-cycle learning rate, images slightly rotated, scaled and shifted.

    Attributes:
        epochs: passes over the training images.
        batch_size: images per step.
        lr: the highest learning rate.
        turn: the largest rotation to either side, in degrees.
        zoom: the largest relative change of scale to either side.
        shift: the largest shift to either side, as a share of the image's side.
    """

    epochs: int = 10
    batch_size: int = 128
    lr: float = 3e-3
    turn: float = 10.0
    zoom: float = 0.1
    shift: float = 0.08


def fit(
    images: Tensor, labels: Tensor, classes: int, recipe: Recipe, seed: int = 0, device: torch.device = CPU
) -> Classifier:
    """Trains a classifier; the same seed gives the same bits on the same machine and device.

    The random numbers for weights, order and augmentation are drawn on the CPU, those for dropout on the device.

    Args:
        images: uint8 (N, C, H, W).
        labels: (N,), each in 0 … classes - 1.
        classes: at least 2.
        recipe: the training settings.
        seed: seed of weights, order, dropout and augmentation; the global generators are not changed.
        device: the device of the training; the images are moved there one batch at a time.

    Returns:
        The classifier in evaluation mode, on the device.
    """
    batches = len(images) // min(recipe.batch_size, len(images))
    with forked(device), torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False):
        reseed(device, derive(seed, "classifier"))
        net = Classifier(images.shape[1], images.shape[2], classes).to(device)
        optimizer = torch.optim.AdamW(net.parameters(), recipe.lr, weight_decay=1e-2)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, recipe.lr, total_steps=recipe.epochs * batches)
        for epoch in range(recipe.epochs):
            total = torch.zeros((), device=device)
            for rows in torch.randperm(len(images)).tensor_split(batches):
                x = augment(scale(images[rows].to(device)), recipe)
                loss = F.cross_entropy(net(x), labels[rows].to(device))
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                schedule.step()
                total += loss.detach()
            log.info("  classifier: epoch %d of %d, loss %.4f", epoch + 1, recipe.epochs, total / batches)
    return net.eval().requires_grad_(False)


def augment(images: Tensor, recipe: Recipe) -> Tensor:
    """Images (B, C, H, W), randomly rotated, scaled and shifted within the recipe's bounds, by the CPU's generator."""
    turn, zoom, *shift = torch.rand(4, len(images)).to(images.device).mul(2).sub(1)  # each (B,) in [-1, 1)
    angle, size = turn * math.radians(recipe.turn), 1 + zoom * recipe.zoom
    shift = [2 * recipe.shift * s for s in shift]  # in coordinates from -1 to 1
    cos, sin = angle.cos() * size, angle.sin() * size
    matrix = torch.stack([torch.stack([cos, -sin, shift[0]], 1), torch.stack([sin, cos, shift[1]], 1)], 1)  # (B, 2, 3)
    grid = F.affine_grid(matrix, list(images.shape), align_corners=False)
    # Border padding repeats the edge pixels, which suits both digits on black and photographs.
    return F.grid_sample(images, grid, padding_mode="border", align_corners=False)


@torch.no_grad()
def accuracy(net: Classifier, images: Tensor, labels: Tensor) -> float:
    """The classification accuracy on uint8 images (N, C, H, W), in [0, 1]; runs on the classifier's device."""
    device = next(net.parameters()).device
    right = [
        (net(scale(part.to(device))).argmax(1) == true.to(device)).sum()
        for part, true in zip(images.split(BATCH), labels.split(BATCH), strict=True)
    ]
    return float(sum(right)) / len(images)


# Feature extractors


def save(net: Classifier, path: Path, record: dict) -> str:
    """Writes a classifier as safetensors, with its arguments and ``record`` as metadata; returns the SHA-256."""
    path.parent.mkdir(parents=True, exist_ok=True)
    metadata = {"shape": json.dumps(net.shape), "record": json.dumps(record)}
    with write_whole(path) as unfinished:
        save_file({key: value.cpu().contiguous() for key, value in net.state_dict().items()}, unfinished, metadata)
    return checksum(path)


def load(path: Path) -> Classifier:
    """The classifier in a file that :func:`save` wrote, in evaluation mode."""
    with safe_open(path, framework="pt") as file:
        net = Classifier(**json.loads(file.metadata()["shape"]))
    net.load_state_dict(load_file(path))
    # On a CPU, convolutions in channels-last format take less than half the time.
    net = net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return net.eval().requires_grad_(False)


def checksum(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Shipped(FeatureExtractor):
    """A pretrained classifier included in this package. It is the same everywhere, so that scores are comparable.

    Images of another size are resized to the size that it was trained on.

    Args:
        of: the data set it was trained on, ``mnist`` or ``digits``.
    """

    def __init__(self, of: str) -> None:
        super().__init__()
        path = WEIGHTS / f"{of}.safetensors"
        if not path.is_file():
            known = sorted(p.stem for p in WEIGHTS.glob("*.safetensors"))
            raise ValueError(f"no classifier of {of} is shipped, only of {' and '.join(known)}")
        self.classifier, self.of = load(path), of
        self.name = f"{of} classifier {checksum(path)[:8]}"

    def prepare(self, data) -> None:
        channels, size = self.classifier.shape["channels"], self.classifier.shape["image_size"]
        if data.channels != channels:
            raise UserError(
                f"features={self.of} expects images with {channels} channel, the data's have {data.channels}; "
                "take features=trained, pixels or inception."
            )
        if data.image_size != size:
            log.warning(
                "features=%s: images of %d×%d are resized to %d×%d", self.of, *[data.image_size] * 2, size, size
            )

    def forward(self, images: Tensor) -> View:
        size = [self.classifier.shape["image_size"]] * 2
        if list(images.shape[2:]) != size:
            images = F.interpolate(images, size, mode="bilinear", antialias=True)
        return look(self.classifier, images)


class Trained(FeatureExtractor):
    """A classifier of the data's own classes, trained at the first use and cached.

    If the data has no classes, the features are the pixels and the name is ``pixels``.

    It is trained on the device where it will be used. Classifiers trained on two machines, or on CPU and GPU, differ
    slightly. The name therefore contains a checksum of the weights, and scores under different names are not
    comparable. To compare scores, copy the file.

    Args:
        cache: the folder of cached classifiers.
        seed: seed of the training.
        **recipe: see :class:`Recipe`.
    """

    ready = False

    def __init__(self, cache: str, seed: int = 0, **recipe: Any) -> None:
        super().__init__()
        self.cache, self.seed, self.recipe = Path(cache).expanduser(), seed, Recipe(**recipe)
        self.classifier: Classifier | None = None

    def prepare(self, data) -> None:
        train = data.splits["train"]
        labelled = train[train.labels >= 0]
        classes = int(labelled.labels.max()) + 1 if len(labelled) else 0
        if classes < 2:
            self.name, self.classifier = "pixels", None
            log.info("the data has no classes to train a classifier on: features are the pixels")
            return
        digest = hashlib.sha256(repr((self.recipe, self.seed, classes)).encode())
        digest.update(labelled.labels.numpy().tobytes())
        for part in labelled.images.split(10_000):
            digest.update(part.contiguous().numpy().tobytes())
        path = self.cache / f"classifier-{digest.hexdigest()[:16]}.safetensors"
        if not path.is_file():
            _check_writable(self.cache)
            log.info(
                "training a classifier of %d classes on %s images, cached in %s", classes, f"{len(labelled):,}", path
            )
            net = fit(labelled.images, labelled.labels, classes, self.recipe, self.seed, self.device)
            save(net, path, {"data": data.describe(), "recipe": asdict(self.recipe), "seed": self.seed})
        try:
            self.classifier = load(path).to(self.device)
        except (SafetensorError, OSError) as error:
            raise UserError(f"{path} is damaged ({one_line(error)}); delete it to have it trained again.") from error
        self.name = f"trained classifier {checksum(path)[:8]}"
        log.info("%s%s", self.name, _rightness(self.classifier, data))

    def forward(self, images: Tensor) -> View:
        return look(self.classifier, images) if self.classifier else View(images.flatten(1))


def look(classifier: Classifier, images: Tensor) -> View:
    """The last hidden layer and the log-probabilities for images of the size that the classifier was trained on."""
    features = classifier.features(images.contiguous(memory_format=torch.channels_last))
    return View(features, classifier.output(features).log_softmax(1))


def _check_writable(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK):
            raise PermissionError(errno.EACCES, "Permission denied")
    except OSError as error:
        raise UserError(
            f"features.cache={folder} cannot keep a classifier ({error.strerror}); give a folder that can be written "
            "to as features.cache=FOLDER."
        ) from error


def _rightness(net: Classifier, data) -> str:
    valid = data.splits["valid"]
    labelled = valid[valid.labels >= 0]
    share = accuracy(net, labelled.images, labelled.labels) if len(labelled) else None
    return "" if share is None else f", right on {share:.2%} of the validation images"
