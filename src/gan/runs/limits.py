"""Limits of the networks that a checkpoint describes, checked before they are allocated."""

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from omegaconf import DictConfig, OmegaConf
from torch import Tensor
from torch.nn.modules.module import (
    register_module_buffer_registration_hook,
    register_module_parameter_registration_hook,
)

from gan.core.errors import UserError, one_line
from gan.runs.foreign import shorten

#: values per image (4,096 × 4,096 pixels with 4 channels), and numbers that ``data`` names, such as examples
MAX_IMAGE = 2**26
#: sizes that need no weights, such as the number of points of a curve
MAX_SIZE = 2**16


@contextmanager
def limit_networks(cfg: DictConfig, weights: Mapping[str, Tensor], source: str) -> Iterator[None]:
    """Within the block, networks may have at most about as many weights as a checkpoint.

    A layer allocates its weights without touching the memory, then registers them; there they are counted.

    Args:
        cfg: the configuration of the networks.
        weights: the checkpoint's.
        source: where they come from, for the message.

    Raises:
        UserError: a size in ``cfg`` is too large for these weights.
    """
    values = sum(weight.numel() for weight in weights.values())
    check_sizes(cfg, values, source)
    # A parametrized weight is registered twice; buffers need not be saved.
    left = {"values": 4 * values + MAX_SIZE, "tensors": 4 * len(weights) + 1000}

    def count(module: object, name: str, tensor: Tensor | None) -> None:
        left["values"] -= 0 if tensor is None else tensor.numel()
        left["tensors"] -= 1
        if min(left.values()) < 0:
            raise UserError(
                f"{source} holds another network than model and data describe ({values:,} weights, fewer than "
                f"{type(module).__name__}.{name} needs). Leave model, data.image_size and latent.dim as they were."
            )

    hooks = [register_module_parameter_registration_hook(count), register_module_buffer_registration_hook(count)]
    try:
        yield
    except (RuntimeError, MemoryError, OverflowError) as error:  # torch: not enough memory
        raise UserError(f"{source}: its networks cannot be built ({shorten(one_line(error))}).") from error
    finally:
        for hook in hooks:
            hook.remove()


def check_sizes(cfg: DictConfig, weights: int, source: str) -> None:
    """Raises UserError for a width, depth or image size that a checkpoint with so many weights cannot have."""
    plain = OmegaConf.to_container(cfg, resolve=True)
    for part in ("model", "conditioning", "view", "history", "latent"):
        for key, size in sizes(plain.get(part), part):
            if size > (MAX_IMAGE if key.endswith("image_shape") else max(MAX_SIZE, weights)):
                raise UserError(f"{source}: {key}={size:.6g} is too large for its {weights:,} weights.")
    for key, size in sizes(plain.get("data"), "data"):
        if size > MAX_IMAGE and not key.endswith("seed"):
            raise UserError(f"{source}: {key}={size:.6g} is too large; at most {MAX_IMAGE:,} is possible.")
    size = (plain.get("data") or {}).get("image_size")
    if isinstance(size, int) and size * size > MAX_IMAGE:
        raise UserError(
            f"{source}: data.image_size={size} is too large; at most {math.isqrt(MAX_IMAGE):,} is possible."
        )


def sizes(value: object, key: str) -> Iterator[tuple[str, int]]:
    """The whole numbers of a plain value with their dotted keys; for an image shape their product."""
    if isinstance(value, int):
        yield key, value
    elif isinstance(value, list) and key.endswith("image_shape"):
        yield key, math.prod(size for size in value if isinstance(size, int))
    else:
        pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        for name, inner in pairs:
            yield from sizes(inner, f"{key}.{name}")
