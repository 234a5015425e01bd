"""A player's turn recorded once as a CUDA graph and replayed: one launch in place of some two hundred.

What is put on the GPU in a turn is the same each time, but for four things: the images, the random numbers, the
learning rates, and what the host does between two turns. The images are copied to where the recording reads them;
torch hands the seed of its generator to each replay; the optimizer reads its rates from memory of the device;
schedules and the average stay outside. So losses, penalties and networks must be functions of tensors alone: a number
that they change on the host from turn to turn is recorded as it was.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

import pytorch_lightning as pl
import torch
from pytorch_lightning.utilities.model_helpers import is_overridden
from torch import Tensor
from torch.optim import Optimizer

Report = dict[str, Tensor]

#: turns that are played as they are: optimizers make their state in the first, libraries choose their ways
WARM_UP = 3


class Recorder(Protocol):
    """What makes recordings."""

    def rehearse(self, play: Callable[[], Report]) -> Report:
        """Plays a turn as it is, where its recording will be made."""

    def record(self, play: Callable[[], Report]) -> Callable[[], object]:
        """Notes what ``play`` puts on the device, without doing it; returns what does it, again and again."""


class CudaGraph:
    """Records CUDA graphs, on a stream of its own."""

    def __init__(self) -> None:
        self.stream = torch.cuda.Stream()

    def rehearse(self, play: Callable[[], Report]) -> Report:
        current = torch.cuda.current_stream()
        self.stream.wait_stream(current)
        with torch.cuda.stream(self.stream):
            report = play()
        current.wait_stream(self.stream)
        return report

    def record(self, play: Callable[[], Report]) -> Callable[[], object]:
        """Raises RuntimeError where ``play`` waits for the device or asks it something."""
        graph = torch.cuda.CUDAGraph()
        generator = torch.cuda.default_generators[torch.cuda.current_device()]
        before = generator.clone_state()
        try:
            # A recording that fails leaves its stream, and in torch 2.11 its random numbers, as they were within.
            # Other threads may go on meanwhile: the one that pins the memory of streamed minibatches, say.
            with (
                torch.cuda.stream(torch.cuda.current_stream()),
                torch.cuda.graph(graph, stream=self.stream, capture_error_mode="thread_local"),
            ):
                play()
        except RuntimeError:
            generator.graphsafe_set_state(before)
            raise
        return graph.replay


class NotRecordableError(Exception):
    """A turn waits for the device, or asks it something; nothing of it was played."""


class Recording:
    """Plays the turns of one player, the first ones as they are and the others from a recording.

    Args:
        turn: tensors, of the same shape each time, and numbers, the same each time, to scalars by name.
        optimizer: the player's own, whose step is part of the turn.
        recorder: makes the recording.
    """

    def __init__(self, turn: Callable[..., Report], optimizer: Optimizer, recorder: Recorder) -> None:
        self.turn, self.optimizer, self.recorder = turn, optimizer, recorder
        self.turns = 0
        self.replay: Callable[[], object] | None = None
        self.inputs: tuple[Tensor | int, ...] = ()
        self.rates = [torch.empty((), device=group["params"][0].device) for group in optimizer.param_groups]
        self.report: Report = {}

    def __call__(self, *inputs: Tensor | int) -> Report:
        """One turn; raises NotRecordableError instead where no recording can be made."""
        self.turns += 1
        # From the first turn on, or a run that goes on would take its first steps with rates of more digits.
        for rate, group in zip(self.rates, self.optimizer.param_groups, strict=True):
            rate.fill_(group["lr"])
        if self.turns <= WARM_UP:
            return self.recorder.rehearse(lambda: self._play(*inputs, capturable=False))
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
            self.replay = self.recorder.record(lambda: self._play(*self.inputs))
        except RuntimeError as error:
            raise NotRecordableError(str(first_cause(error)).partition("\n")[0]) from error

    def _play(self, *inputs: Tensor | int, capturable: bool = True) -> Report:
        with rates_on_the_device(self.optimizer, self.rates, capturable):
            self.report = self.turn(*inputs)
        return self.report


def first_cause(error: BaseException) -> BaseException:
    """What went wrong first: a recording that cannot be ended hides why."""
    while error.__context__ is not None:
        error = error.__context__
    return error


@contextmanager
def rates_on_the_device(optimizer: Optimizer, rates: list[Tensor], capturable: bool = True) -> Iterator[None]:
    """Within, the optimizer reads its learning rates from ``rates``, one scalar for each of its groups.

    ``capturable`` lets its step be recorded; where it is not, torch warns of an optimizer that has this set.
    """
    before = [{key: group[key] for key in ("lr", "capturable") if key in group} for group in optimizer.param_groups]
    try:
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] = rate
            if "capturable" in group:
                group["capturable"] = capturable
        yield
    finally:
        for group, kept in zip(optimizer.param_groups, before, strict=True):
            group |= kept


def capture_unavailable(module: pl.LightningModule, trainer: pl.Trainer) -> str | None:
    """Why the turns of this game cannot be recorded, or None."""
    obstacles: list[tuple[bool, str]] = [
        (module.device.type != "cuda", f"it needs an NVIDIA GPU, and this run is on the {module.device.type}"),
        (trainer.world_size > 1, "several processes exchange their gradients within a turn"),
        (trainer.precision == "16-mixed", "16-mixed asks the GPU at each step whether the gradients are finite"),
        (module.simultaneous, "with simultaneous updates the players have no turns of their own"),
        (module.momentum is not None, "the momentum changes on the host"),
        *(
            (not fused(o), f"{type(o).__name__} reads its learning rate on the host without fused=true")
            for o in trainer.optimizers
        ),
        *((counts_steps(c), f"{type(c).__name__} is to see each optimizer step") for c in trainer.callbacks),
    ]
    return next((why for holds, why in obstacles if holds), None)


def fused(optimizer: Optimizer) -> bool:
    """Whether a step is one launch. A resumed run's groups say so, which come from the checkpoint."""
    return all(group.get("fused") for group in optimizer.param_groups)


def counts_steps(callback: pl.Callback) -> bool:
    """Whether a callback hangs on what Lightning does at each optimizer step, of which a replay knows nothing."""
    hooks = ("on_before_backward", "on_after_backward", "on_before_optimizer_step")
    return isinstance(callback, pl.callbacks.ModelCheckpoint) or any(is_overridden(h, callback) for h in hooks)
