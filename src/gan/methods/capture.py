"""An update recorded once as a CUDA graph and replayed: one launch in place of some two hundred.

What is put on the GPU in an update is the same each time, but for four things: the batch, the random numbers, the
learning rates, and what the host does between two updates. The batch is copied to where the recording reads it;
torch hands the seed of its generator to each replay; the optimizer reads its rates from memory of the device;
schedules and the EMA stay outside. So losses, terms and networks must be functions of tensors alone: a number that
they change on the host from update to update is recorded as it was.
"""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any, Protocol

import pytorch_lightning as pl
import torch
from pytorch_lightning.utilities.model_helpers import is_overridden
from torch import Tensor
from torch.optim import Optimizer

from gan.core.batch import Batch

log = logging.getLogger(__name__)

Report = dict[str, Tensor]

#: updates that are not recorded: optimizers make their state in the first, libraries choose their ways
WARM_UP = 3


class Recorder(Protocol):
    """What makes recordings."""

    def rehearse(self, take: Callable[[], Report]) -> Report:
        """Takes an update as it is, where its recording will be made."""

    def record(self, take: Callable[[], Report]) -> Callable[[], object]:
        """Notes what ``take`` puts on the device, without doing it; returns what does it, again and again."""


class CudaGraph:
    """Records CUDA graphs, on a stream of its own."""

    def __init__(self) -> None:
        self.stream = torch.cuda.Stream()

    def rehearse(self, take: Callable[[], Report]) -> Report:
        """On a stream of its own, as a recording needs it."""
        current = torch.cuda.current_stream()
        self.stream.wait_stream(current)
        with torch.cuda.stream(self.stream):
            report = take()
        current.wait_stream(self.stream)
        return report

    def record(self, take: Callable[[], Report]) -> Callable[[], object]:
        """Raises RuntimeError where ``take`` waits for the device or asks it something."""
        graph = torch.cuda.CUDAGraph()
        generator = torch.cuda.default_generators[torch.cuda.current_device()]
        before = generator.clone_state()
        try:
            # A recording that fails leaves its stream, and in torch 2.11 its random numbers, as they were within.
            # Other threads may go on meanwhile: the one that pins the memory of streamed batches, say.
            with (
                torch.cuda.stream(torch.cuda.current_stream()),
                torch.cuda.graph(graph, stream=self.stream, capture_error_mode="thread_local"),
            ):
                take()
        except RuntimeError:
            generator.graphsafe_set_state(before)
            raise
        return graph.replay


class NotRecordableError(Exception):
    """An update waits for the device, or asks it something; nothing of it was done."""


class Recording:
    """One kind of update, the first ones taken as they are and the others from a recording.

    Args:
        update: a batch, of the same shape each time, to scalars by name.
        optimizers: those whose steps are part of the update.
        recorder: makes the recording.
    """

    def __init__(self, update: Callable[[Batch], Report], optimizers: Sequence[Optimizer], recorder: Recorder) -> None:
        self.update, self.optimizers, self.recorder = update, optimizers, recorder
        self.updates = 0
        self.replay: Callable[[], object] | None = None
        self.batch: Batch | None = None
        self.rates = [
            [torch.empty((), device=group["params"][0].device) for group in optimizer.param_groups]
            for optimizer in optimizers
        ]
        self.report: Report = {}

    def __call__(self, batch: Batch) -> Report:
        """One update; raises NotRecordableError instead where no recording can be made."""
        self.updates += 1
        # From the first update on, or a resumed run would take its first steps with rates of more digits.
        for optimizer, rates in zip(self.optimizers, self.rates, strict=True):
            for rate, group in zip(rates, optimizer.param_groups, strict=True):
                rate.fill_(group["lr"])
        if self.updates <= WARM_UP:
            return self.recorder.rehearse(lambda: self._take(batch, capturable=False))
        if self.replay is None or self.batch is None:
            self.replay, self.batch = self.prepare(batch)
        for (_, kept), (_, given) in zip(self.batch.items(), batch.items(), strict=True):
            kept.copy_(given)
        self.replay()
        # A copy, because the next replay writes over the scalars.
        return dict(zip(self.report, torch.stack(list(self.report.values())).unbind(), strict=True))

    def prepare(self, batch: Batch) -> tuple[Callable[[], object], Batch]:
        """Makes the recording; returns what replays it, and the batch that it reads."""
        kept = batch.map(torch.Tensor.clone)
        try:
            return self.recorder.record(lambda: self._take(kept)), kept
        except RuntimeError as error:
            raise NotRecordableError(str(first_cause(error)).partition("\n")[0]) from error

    def _take(self, batch: Batch, capturable: bool = True) -> Report:
        with ExitStack() as stack:
            for optimizer, rates in zip(self.optimizers, self.rates, strict=True):
                stack.enter_context(rates_on_the_device(optimizer, rates, capturable))
            self.report = self.update(batch)
        return self.report


class Recordings:
    """A recording for each kind of update of a method: who is updated, and which terms are part of it.

    Args:
        method: whose updates are recorded.
        recorder: makes recordings; None for CUDA graphs.
    """

    def __init__(self, method: Any, recorder: Callable[[], Recorder] | None = None) -> None:
        self.method, self.recorder = method, recorder or CudaGraph
        self.kinds: dict[tuple, Recording] = {}
        self.given_up = False

    def __call__(self, batch: Batch, step: Callable, due: Mapping[str, Mapping]) -> Report:
        """What ``method.compute_and_apply`` does with these arguments."""
        if self.given_up:
            return self.method.compute_and_apply(batch, step, due)
        kind = tuple((player, *terms) for player, terms in due.items())
        if kind not in self.kinds:
            optimizers = [self.method.trainer.optimizers[self.method.player_names.index(player)] for player in due]
            update = partial(self.method.compute_and_apply, step=step, due=due)
            self.kinds[kind] = Recording(update, optimizers, self.recorder())
        try:
            return self.kinds[kind](batch)
        except NotRecordableError as error:
            log.warning(
                "trainer.capture: the update of %s cannot be recorded (%s): step by step.", " and ".join(due), error
            )
            self.given_up = True
            self.kinds = {}
            return self.method.compute_and_apply(batch, step, due)


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
    before: list[dict[str, Any]] = [
        {key: group[key] for key in ("lr", "capturable") if key in group} for group in optimizer.param_groups
    ]
    try:
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] = rate
            if "capturable" in group:
                group["capturable"] = capturable
        yield
    finally:
        for group, kept in zip(optimizer.param_groups, before, strict=True):
            group |= kept


def capture_unavailable(module: Any, trainer: pl.Trainer) -> str | None:
    """Why the updates of this training cannot be recorded, or None."""
    obstacles: list[tuple[bool, str]] = [
        (module.device.type != "cuda", f"it needs an NVIDIA GPU, and this run is on the {module.device.type}"),
        (trainer.world_size > 1, "several processes exchange their gradients within an update"),
        (trainer.precision == "16-mixed", "16-mixed asks the GPU at each step whether the gradients are finite"),
        (any(player.momentum for player in module.players.values()), "the momentum changes on the host"),
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
    """Whether a callback uses Lightning's hooks of each optimizer step, which a replay does not call."""
    hooks = ("on_before_backward", "on_after_backward", "on_before_optimizer_step")
    return isinstance(callback, pl.callbacks.ModelCheckpoint) or any(is_overridden(h, callback) for h in hooks)
