"""What several processes of one training exchange. Alone, a process exchanges nothing."""

import torch
import torch.distributed as dist
from torch import Tensor


def together() -> bool:
    """Whether this process trains with others."""
    return dist.is_available() and dist.is_initialized()


def gather_rows(x: Tensor) -> Tensor:
    """The rows of all processes in the order of one process, with their gradient: (B, …) to (B · world, …).

    For what compares examples with each other. A mean over examples needs it not: gradients are averaged.
    """
    if not together():
        return x
    from torch.distributed.nn.functional import all_gather

    return torch.stack(all_gather(x), 1).flatten(0, 1)


def mean_over_processes(x: Tensor) -> Tensor:
    """The mean over the processes, of the same shape, without gradient."""
    if not together():
        return x.detach()
    total = x.detach().clone()
    dist.all_reduce(total)
    return total / dist.get_world_size()


def average_gradients(parameters: list[torch.nn.Parameter]) -> None:
    """Replaces each gradient by its mean over the processes, in one exchange."""
    gradients = [p.grad for p in parameters if p.grad is not None]
    if not (together() and gradients):
        return
    flat = torch.cat([gradient.flatten() for gradient in gradients])
    dist.all_reduce(flat)
    flat /= dist.get_world_size()
    for gradient, mean in zip(gradients, flat.split([g.numel() for g in gradients]), strict=True):
        gradient.copy_(mean.view_as(gradient))
