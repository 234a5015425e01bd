"""What a metric gets and gives."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field

from torch import Tensor


@dataclass(frozen=True)
class Measure:
    """One number with its uncertainty.

    Attributes:
        value: in the metric's unit.
        standard_error: of the value, over what ``details`` name; None where there is none.
        details: whatever else the number depends on, plain values.
    """

    value: float
    standard_error: float | None = None
    details: dict[str, float | int | str | bool | list] = field(default_factory=dict)


class Metric(ABC):
    """A function of samples and real images.

    Attributes:
        name: the key of its numbers in ``metrics.json``.
        unit: of its values.
    """

    name: str
    unit: str

    @abstractmethod
    def __call__(self, samples: Tensor, folds: list[dict[str, Tensor]]) -> Measure:
        """Measures samples.

        Args:
            samples: (N, C, H, W) in [0, 1].
            folds: real images likewise, under ``valid`` and ``test``: one such pair, or one for each fold
                over which the data's protocol averages.
        """
