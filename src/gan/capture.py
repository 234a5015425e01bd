"""A player's turn recorded once as a CUDA graph and replayed: one launch in place of some two hundred.

What is put on the GPU in a turn is the same each time, but for four things: the images, the random numbers, the
learning rates, and what the host does between two turns. The images are copied to where the recording reads them;
torch hands the seed of its generator to each replay; the optimizer reads its rates from memory of the device;
schedules and the average stay outside.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.optim import Optimizer

from gan.errors import one_line

#: turns that are played as they are: optimizers make their state in the first, libraries choose their ways
WARM_UP = 3

#: records what a function puts on the device, without doing it: what replays it
Recorder = Callable[[Callable[[], object]], Callable[[], object]]


def cuda_graph(play: Callable[[], object]) -> Callable[[], object]:
    """Records ``play`` as a CUDA graph; raises RuntimeError where it waits for the device or asks it something."""
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        play()
    return graph.replay


class NotRecordableError(RuntimeError):
    """A turn waits for the device, or asks it something; nothing of it was played."""


class Recording:
    """Plays the turns of one player, the first ones as they are and the others from a recording.

    Args:
        turn: tensors, of the same shape each time, and numbers, the same each time, to scalars by name.
        optimizer: the player's own, whose step is part of the turn.
        record: makes the recording.
    """

    def __init__(
        self, turn: Callable[..., dict[str, Tensor]], optimizer: Optimizer, record: Recorder = cuda_graph
    ) -> None:
        self.turn, self.optimizer, self.record = turn, optimizer, record
        self.turns = 0
        self.replay: Callable[[], object] | None = None
        self.inputs: tuple[Tensor | int, ...] = ()
        self.rates = [torch.empty((), device=group["params"][0].device) for group in optimizer.param_groups]
        self.report: dict[str, Tensor] = {}

    def __call__(self, *inputs: Tensor | int) -> dict[str, Tensor]:
        """One turn; raises NotRecordableError instead where no recording can be made."""
        self.turns += 1
        # From the first turn on, or a run that goes on would take its first steps with rates of more digits.
        for rate, group in zip(self.rates, self.optimizer.param_groups, strict=True):
            rate.fill_(group["lr"])
        if self.turns <= WARM_UP:
            return self._play(*inputs)
        if self.replay is None:
            self.prepare(*inputs)
        for kept, given in zip(self.inputs, inputs, strict=True):
            if isinstance(kept, Tensor):
                kept.copy_(given)
        self.replay()
        # A copy, because the next replay writes over the scalars.
        return dict(zip(self.report, torch.stack(list(self.report.values())).unbind(), strict=True))

    def prepare(self, *inputs: Tensor | int) -> None:
        """Makes the recording."""
        self.inputs = tuple(given.clone() if isinstance(given, Tensor) else given for given in inputs)
        try:
            self.replay = self.record(lambda: self._play(*self.inputs))
        except RuntimeError as error:
            raise NotRecordableError(one_line(error)) from error

    def _play(self, *inputs: Tensor | int) -> dict[str, Tensor]:
        with rates_on_the_device(self.optimizer, self.rates):
            self.report = self.turn(*inputs)
        return self.report


@contextmanager
def rates_on_the_device(optimizer: Optimizer, rates: list[Tensor]) -> Iterator[None]:
    """Within, the optimizer reads its learning rates from ``rates``, one scalar for each of its groups."""
    before = [{key: group[key] for key in ("lr", "capturable") if key in group} for group in optimizer.param_groups]
    try:
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] = rate
            if "capturable" in group:
                group["capturable"] = True
        yield
    finally:
        for group, kept in zip(optimizer.param_groups, before, strict=True):
            group |= kept


def hindrance(module: pl.LightningModule, trainer: pl.Trainer) -> str | None:
    """Why the turns of this game cannot be recorded, or None."""
    obstacles: list[tuple[bool, str]] = [
        (module.device.type != "cuda", f"it needs an NVIDIA GPU, and this run is on the {module.device.type}"),
        (trainer.world_size > 1, "several processes exchange their gradients within a turn"),
        (trainer.precision == "16-mixed", "16-mixed asks the GPU at each step whether the gradients are finite"),
        (module.simultaneous, "with simultaneous updates the players have no turns of their own"),
        (module.momentum is not None, "the momentum changes on the host"),
        *(
            (not reads_rates_from_the_device(o), f"{type(o).__name__} reads its learning rate on the host")
            for o in trainer.optimizers
        ),
    ]
    return next((why for holds, why in obstacles if holds), None)


def reads_rates_from_the_device(optimizer: Optimizer) -> bool:
    """Whether the optimizer can do with a learning rate that the host does not know."""
    settings: dict[str, Any] = optimizer.defaults
    return "capturable" in settings or bool(settings.get("fused"))
