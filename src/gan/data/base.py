"""Base classes of data modules: images are stored as uint8 and gathered one batch at a time."""

from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import pytorch_lightning as pl
import torch
from torch import Tensor

from gan.core.batch import Batch
from gan.core.checks import check_integer
from gan.core.errors import UserError
from gan.core.images import scale
from gan.core.random import derive

PART = 2**24  # bytes of images that are processed at a time


@dataclass(frozen=True)
class Split:
    """Images (N, C, H, W), uint8, and their classes (N,), int64, -1 for no class.

    Examples that are not images, such as points in the plane, are float32 of the same shape (N, C, H, W).

    The images may be a memory-mapped file: read them in parts and never write to them.
    """

    images: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, rows: slice | Tensor) -> "Split":
        """A subset of the images with their classes."""
        return Split(self.images[rows], self.labels[rows])


class Batches:
    """An endless stream of batches in an order that is a function of (seed, batch number).

    Batch n belongs to epoch n // len and is a fixed part of that epoch's permutation. A resumed run therefore needs
    no stored state: it calls ``position`` for the number of its next batch. Lightning counts ``len`` batches per
    epoch and then requests a new iterator. Images that do not fill a last batch are left out of that epoch.

    Args:
        images: uint8 (N, C, H, W), on the device of the batches.
        labels: int64 (N,), -1 where the class is unknown, on the same device.
        batch_size: images per process.
        seed: the run's seed.
        position: returns the number of batches trained on.
        rank, world: this process and the number of processes; process r takes rows r, r + world, … of the
            common batch of ``world * batch_size`` images.
        labelled: few images with labels for a classifier, of which each batch has as many as of the others; these then
            are without labels. None for all labels.
    """

    def __init__(
        self,
        images: Any,
        labels: Tensor,
        batch_size: int,
        seed: int,
        position: Callable[[], int],
        rank: int = 0,
        world: int = 1,
        labelled: Split | None = None,
    ) -> None:
        self.labelled = labelled
        self.images, self.labels, self.seed, self.position = images, labels, seed, position
        self.rank, self.world, self.total = rank, world, batch_size * world

    def __len__(self) -> int:
        return len(self.images) // self.total

    def __iter__(self) -> Iterator[Batch]:
        # This is a generator, so that position() is called with the first batch, after Lightning has
        # restored a checkpoint.
        for number, (images, labels) in enumerate(self.gather(), self.position()):
            if self.labelled is None:
                yield Batch(images=scale(images), labels=labels)  # (B, C, H, W), (B,)
                continue
            some = self.labelled[self.labelled_rows(number).to(self.labelled.images.device)]
            yield Batch(
                images=scale(images),
                labels=torch.full_like(labels, -1),
                labelled_images=scale(some.images),
                known_labels=some.labels,
            )

    def gather(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Yields images as uint8 and labels of each batch, on the device of the batches."""
        for rows in self.rows(self.images.device):
            yield self.images[rows], self.labels[rows]

    def rows(self, device: torch.device) -> Iterator[Tensor]:
        """Yields the image indices (B,) of each of this process's batches, from ``position`` on, endlessly."""
        epoch, batch = divmod(self.position(), len(self))
        while True:
            order = self.order(epoch).to(device)
            for i in range(batch, len(self)):
                yield order[i * self.total : (i + 1) * self.total][self.rank :: self.world]
            epoch, batch = epoch + 1, 0

    def order(self, epoch: int) -> Tensor:
        """The permutation of the images in ``epoch``, (N,)."""
        generator = torch.Generator().manual_seed(derive(self.seed, "order", epoch))
        return torch.randperm(len(self.images), generator=generator)

    def labelled_rows(self, number: int) -> Tensor:
        """This process's rows (B,) of the labelled images in batch ``number``: permutations, one after the other."""
        generator = torch.Generator().manual_seed(derive(self.seed, "labelled", number))
        count = len(self.labelled or ())
        orders = [torch.randperm(count, generator=generator) for _ in range(-(-self.total // count))]
        return torch.cat(orders)[: self.total][self.rank :: self.world]

    # With these two methods Lightning assumes that the loader can resume in the middle of an epoch.
    def state_dict(self) -> dict:
        """Nothing: the order is a function of the seed and the iteration."""
        return {}

    def load_state_dict(self, state: dict) -> None:
        """Does nothing, see :meth:`state_dict`."""


class Source(pl.LightningDataModule):
    """A source of batches; nothing is read before ``prepare_data``.

    A batch is a :class:`gan.core.batch.Batch`. It is a function of (seed, iteration), independent of the number of
    processes and of the iteration from which a run resumes.

    Args:
        batch_size: examples per batch and process.
        image_size: height and width in pixels.
        channels: 1 for gray, 3 for color.
        classes: number of classes, 0 for none.
        seed: the run's seed.
        labels_per_class: how many training images of each class keep their label, drawn by the seed; None for all.

    Attributes:
        samples_to_score: default number of samples of an evaluation.
        has_fixed_examples: whether the source has a fixed set of examples, which ``setup`` reads into ``splits``.
            It is known before that. Metrics and diagnosis need such examples.
        ranked_by: name of the metric that ranks generators on this data in a sweep; None if none does.
    """

    samples_to_score = 10_000
    ranked_by: ClassVar[str | None] = None
    has_fixed_examples: ClassVar[bool] = True

    def __init__(
        self,
        batch_size: int,
        image_size: int,
        channels: int,
        classes: int,
        seed: int,
        labels_per_class: int | None = None,
    ) -> None:
        super().__init__()
        check_integer("[1, inf)", or_none=True, labels_per_class=labels_per_class)
        self.labels_per_class = labels_per_class
        check_integer("[1, inf)", batch_size=batch_size, image_size=image_size, channels=channels)
        check_integer("[0, inf)", classes=classes)
        check_integer(seed=seed)
        self.batch_size, self.image_size, self.channels = batch_size, image_size, channels
        self.classes, self.seed = classes, seed
        self.splits: dict[str, Split] = {}

    @property
    def is_loaded(self) -> bool:
        """Whether ``setup`` is done; always true for a source without fixed examples."""
        return bool(self.splits) or not self.has_fixed_examples

    @abstractmethod
    def mean_image(self) -> Tensor:
        """The mean training example, float32 (C, H, W)."""

    @abstractmethod
    def batches_per_epoch(self, world: int = 1) -> int:
        """Number of batches in an epoch with ``world`` processes."""

    def folds(self) -> list[dict[str, Split]]:
        """The pairs of splits ``valid`` and ``test`` over which an evaluation averages: one unless the data has folds.

        Empty if there are no fixed examples.
        """
        return [{name: self.splits[name] for name in ("valid", "test")}] if self.has_fixed_examples else []

    @abstractmethod
    def describe(self) -> str:
        """Name, number and shape of the training examples, for the first log line of a run."""

    @abstractmethod
    def train_dataloader(self) -> Iterable[Batch]:
        """This process's batches; :class:`Batches` describes their properties."""

    def stream(self) -> dict[str, Any]:
        """The arguments that :class:`Batches` and similar classes share."""
        trainer = self.trainer
        return {
            "batch_size": self.batch_size,
            "seed": self.seed,
            "position": lambda: trainer.lightning_module.iteration,
            "rank": trainer.global_rank,
            "world": trainer.world_size,
        }


class ImageData(Source):
    """Base class of image sources: subclasses implement ``load``.

    Images of another size are resized to ``image_size`` once, when they are loaded.
    """

    ranked_by = "frechet"

    @abstractmethod
    def load(self) -> dict[str, Split]:
        """The splits ``train``, ``valid`` and ``test``, at the original image size."""

    def setup(self, stage: str | None = None) -> None:
        if not self.is_loaded:
            splits = {name: self._fit(split) for name, split in self.load().items()}
            if len(splits["train"]) < self.batch_size:
                raise UserError(
                    f"data.batch_size={self.batch_size} is more than the {len(splits['train'])} training images."
                )
            self._check_labels(splits)
            self.splits = splits
            if self.labels_per_class is not None:
                self.labelled()  # its errors come before the training

    def mean_image(self) -> Tensor:
        """The mean training image, float32 (C, H, W) in [0, 1]."""
        # An integer sum per pixel is exact. It is computed in parts, because torch converts its input to
        # eight times the size, and because the images may be larger than the memory.
        images = self.splits["train"].images
        parts = images.split(max(1, PART // images[0].numel()))
        total = sum(part.sum(0, dtype=torch.int64) for part in parts)
        return (total.double() / (255 * len(images))).float()

    def batches_per_epoch(self, world: int = 1) -> int:
        """Number of batches in one pass over the training images with ``world`` processes."""
        batches = len(self.splits["train"]) // (self.batch_size * world)
        if batches == 0:
            raise UserError(
                f"data.batch_size={self.batch_size} on {world} processes is more than the "
                f"{len(self.splits['train'])} training images."
            )
        return batches

    def describe(self) -> str:
        size = self.image_size
        return f"{type(self).__name__}: {len(self.splits['train']):,} images {self.channels}×{size}×{size}"

    def train_dataloader(self) -> Batches:
        train, device = self.splits["train"], self.trainer.strategy.root_device
        return Batches(train.images.to(device), train.labels.to(device), **self.stream())

    def stream(self) -> dict[str, Any]:
        chosen = super().stream()
        if self.labels_per_class is not None:
            few, device = self.labelled(), self.trainer.strategy.root_device
            chosen["labelled"] = Split(few.images.to(device), few.labels.to(device))
        return chosen

    def labelled(self) -> Split:
        """The training images that keep their labels, as many of each class, chosen by the seed.

        Raises:
            UserError: there are no labels, or a class has fewer images.
        """
        train, wanted = self.splits["train"], self.labels_per_class
        assert wanted is not None
        order = torch.randperm(len(train), generator=torch.Generator().manual_seed(derive(self.seed, "labels")))
        classes = [number for number in train.labels.unique().tolist() if number >= 0]
        if not classes:
            raise UserError(f"data.labels_per_class={wanted}: the training images have no labels.")
        rows = [order[train.labels[order] == number][:wanted] for number in classes]
        if (least := min(map(len, rows))) < wanted:
            raise UserError(f"data.labels_per_class={wanted}: a class has only {least} training images.")
        return train[torch.cat(rows)]

    def _check_labels(self, splits: dict[str, Split]) -> None:
        """Raises UserError for a label beyond the classes, if there are classes."""
        largest = max((int(split.labels.max()) for split in splits.values() if len(split)), default=-1)
        if self.classes and largest >= self.classes:
            raise UserError(f"data.classes={self.classes}, but the images have labels from 0 to {largest}.")

    def _fit(self, split: Split) -> Split:
        """The split resized to ``image_size``; also checks its channels."""
        images = split.images
        if images.shape[1] != self.channels:
            raise UserError(f"data.channels={self.channels}, but the images have {images.shape[1]}.")
        if images.shape[2:] != (self.image_size, self.image_size):
            from torchvision.transforms.v2.functional import resize

            images = resize(images, [self.image_size, self.image_size], antialias=True)
        return Split(images.contiguous(), split.labels)
