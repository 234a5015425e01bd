"""Requests for more memory than there is, reduced to one line that names the numbers behind them."""

import re
from collections.abc import Iterator

from omegaconf import DictConfig, OmegaConf

#: messages of Python, NumPy and torch about a size that cannot be allocated
_SIGNS = re.compile(
    r"can't allocate memory|unable to allocate|out of memory|size calculation overflowed|overflow when unpacking"
    r"|without overflow|maximum allowed dimension|cannot fit 'int'|too large to convert to C",
    re.IGNORECASE,
)
_BYTES = re.compile(r"tried to allocate (\d+) bytes")
LARGE = 1_000  # smaller numbers are never named


def lack_of_memory(error: BaseException, cfg: DictConfig) -> str | None:
    """One line about an allocation that failed, with the largest numbers of the configuration; None for other errors.

    Args:
        error: from Python, NumPy or torch.
        cfg: the configuration of what was running.
    """
    if not (isinstance(error, MemoryError) or _SIGNS.search(str(error))):
        return None
    asked = _BYTES.search(str(error))
    amount = f" for {int(asked[1]) / 1e9:,.0f} GB at once" if asked else ""
    numbers = sorted(whole_numbers(OmegaConf.to_container(cfg, resolve=False)), key=lambda pair: -pair[1])
    largest = [f"{key}={value}" for key, value in numbers if value >= max(LARGE, numbers[0][1] / 1000)]
    advice = f"the largest numbers are {', '.join(largest[:3])}" if largest else "take smaller batches or networks"
    return f"not enough memory{amount}; {advice}."


def whole_numbers(value: object, key: str = "") -> Iterator[tuple[str, int]]:
    """The whole numbers in nested containers, by dotted keys, without seeds."""
    if isinstance(value, dict | list):
        for name, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from whole_numbers(inner, f"{key}.{name}".lstrip("."))
    elif isinstance(value, int) and not isinstance(value, bool) and not key.endswith("seed"):
        yield key, value
