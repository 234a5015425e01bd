"""Communication between the processes of one training. A single process exchanges nothing."""

import torch
import torch.distributed as dist
from torch import Tensor


def together() -> bool:
    """Whether several processes train together."""
    return dist.is_available() and dist.is_initialized()


def rank_and_world() -> tuple[int, int]:
    """This process's number and the number of processes: 0 and 1 for a single one."""
    return (dist.get_rank(), dist.get_world_size()) if together() else (0, 1)


def gather_rows(x: Tensor) -> Tensor:
    """Gathers the rows of all processes in single-process order, with gradients: (B, …) to (B · world, …).

    Needed where examples are compared with each other. A mean over examples does not need it, because gradients are
    averaged.
    """
    if not together():
        return x
    return _GatherRows.apply(x)


def mean_over_processes(x: Tensor) -> Tensor:
    """The mean over processes, same shape, without gradient."""
    if not together():
        return x.detach()
    total = x.detach().clone()
    dist.all_reduce(total)
    return total / dist.get_world_size()


def average_gradients(parameters: list[torch.nn.Parameter]) -> None:
    """Replaces each gradient by its mean over processes, in one all-reduce."""
    gradients = [p.grad for p in parameters if p.grad is not None]
    if not (together() and gradients):
        return
    flat = torch.cat([gradient.flatten() for gradient in gradients])
    dist.all_reduce(flat)
    flat /= dist.get_world_size()
    for gradient, mean in zip(gradients, flat.split([g.numel() for g in gradients]), strict=True):
        gradient.copy_(mean.view_as(gradient))


class _GatherRows(torch.autograd.Function):
    """The rows of all processes; the gradient of a row is the sum of what all processes have for it."""

    @staticmethod
    def forward(ctx, x: Tensor) -> Tensor:
        rows = [torch.empty_like(x) for _ in range(dist.get_world_size())]
        dist.all_gather(rows, x.contiguous())
        return torch.stack(rows, 1).flatten(0, 1)

    @staticmethod
    def backward(ctx, gradient: Tensor) -> Tensor:
        total = gradient.clone()
        dist.all_reduce(total)
        return total[dist.get_rank() :: dist.get_world_size()]
