"""Captures an update once as a CUDA graph and replays it: one launch instead of about two hundred.

The GPU work of an update is always the same, except for four things:

- the batch, which is copied into the buffer that the graph reads;
- the random numbers: torch passes its generator's seed to each replay;
- the learning rates, which the optimizer reads from device memory;
- the work of the host between updates: schedules and the EMA are not part of the graph.

Losses, terms and networks must therefore be functions of tensors alone. A Python number that they change from update to
update keeps the value it had at capture.
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

#: updates before the capture: optimizers create their state in the first one, and libraries choose their algorithms
WARM_UP = 3


class Recorder(Protocol):
    """Captures updates."""

    def rehearse(self, take: Callable[[], Report]) -> Report:
        """Runs an update without capturing it, on the stream that will be used for the capture."""

    def record(self, take: Callable[[], Report]) -> Callable[[], object]:
        """Captures the device work of ``take`` without running it; returns a function that replays it."""


class CudaGraph:
    """Captures CUDA graphs on a separate stream."""

    def __init__(self) -> None:
        self.stream = torch.cuda.Stream()

    def rehearse(self, take: Callable[[], Report]) -> Report:
        """Runs the update on the separate stream, as a capture requires."""
        current = torch.cuda.current_stream()
        self.stream.wait_stream(current)
        with torch.cuda.stream(self.stream):
            report = take()
        current.wait_stream(self.stream)
        return report

    def record(self, take: Callable[[], Report]) -> Callable[[], object]:
        """Raises RuntimeError if ``take`` synchronizes with the device or reads a value from it."""
        graph = torch.cuda.CUDAGraph()
        generator = torch.cuda.default_generators[torch.cuda.current_device()]
        before = generator.clone_state()
        try:
            # A failed capture does not restore the current stream nor, in torch 2.11, the state of the random numbers.
            # Other threads may use CUDA meanwhile, such as the one that pins the memory of streamed batches.
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
    """An update synchronizes with the device or reads a value from it; no part of it was executed."""


class Recording:
    """One kind of update: the first ones run eagerly, the later ones are replayed.

    Args:
        update: maps a batch, always of the same shape, to scalars by name.
        optimizers: those whose steps are part of the update.
        recorder: captures the update.
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
        """Runs one update; raises NotRecordableError if it cannot be captured."""
        self.updates += 1
        # From the first update on, else the first steps of a resumed run would use rates with more digits.
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
        # A copy, because the next replay overwrites the scalars.
        return dict(zip(self.report, torch.stack(list(self.report.values())).unbind(), strict=True))

    def prepare(self, batch: Batch) -> tuple[Callable[[], object], Batch]:
        """Captures the update; returns the function that replays it, and the batch buffer that it reads."""
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
    """One recording for each kind of update, that is for each set of updated players and their terms.

    Args:
        method: the method whose updates are captured.
        recorder: creates the recorders; None for CUDA graphs.
    """

    def __init__(self, method: Any, recorder: Callable[[], Recorder] | None = None) -> None:
        self.method, self.recorder = method, recorder or CudaGraph
        self.kinds: dict[tuple, Recording] = {}
        self.given_up = False

    def __call__(self, batch: Batch, step: Callable, due: Mapping[str, Mapping]) -> Report:
        """Same as ``method.compute_and_apply`` with these arguments."""
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
    """The original error: a failed capture raises another one, which hides it."""
    while error.__context__ is not None:
        error = error.__context__
    return error


@contextmanager
def rates_on_the_device(optimizer: Optimizer, rates: list[Tensor], capturable: bool = True) -> Iterator[None]:
    """Inside the block the optimizer reads its learning rates from ``rates``, one scalar per parameter group.

    ``capturable`` allows its step to be captured. Outside a capture torch warns if it is set.
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
    """The reason why the updates of this training cannot be captured, or None."""
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
    """Whether a step is one launch. Reads the parameter groups, which a resumed run loads from its checkpoint."""
    return all(group.get("fused") for group in optimizer.param_groups)


def counts_steps(callback: pl.Callback) -> bool:
    """Whether a callback uses Lightning's hooks around an optimizer step, which a replay does not call."""
    hooks = ("on_before_backward", "on_after_backward", "on_before_optimizer_step")
    return isinstance(callback, pl.callbacks.ModelCheckpoint) or any(is_overridden(h, callback) for h in hooks)
