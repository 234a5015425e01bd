"""Optimizers that torch lacks."""

from collections.abc import Iterable
from typing import Any

import torch
from torch.nn import Parameter

from gan.core.checks import check_number


class WidthScaledAdam(torch.optim.Adam):
    """Adam whose rate for a matrix falls with the number of its inputs.

    A step of Adam moves every weight by about the rate, whatever the gradient's size, and the steps of a
    unit's weights mostly agree in sign: the unit's input then moves by rate × inputs. With 8,000 inputs a
    rate that suits a layer of 100 throws all of its units to one side for every z alike, and a generator
    draws one picture. Dividing by the inputs is the rule of Yang, Hu et al. 2021, "Tensor Programs V",
    table 3, for hidden layers under Adam.

    Args:
        params: parameters; the inputs of one are the numbers in its first row, (out, in, …).
        lr: the rate of vectors and of matrices with at most ``reference_width`` inputs; with n inputs it is
            lr · reference_width / n.
        reference_width: positive.
        **adam: see :class:`torch.optim.Adam`.
    """

    def __init__(self, params: Iterable[Parameter], lr: float, reference_width: float = 100, **adam: Any) -> None:
        check_number("(0, inf)", reference_width=reference_width)
        groups: dict[float, list[Parameter]] = {}
        for parameter in params:
            inputs = parameter[0].numel() if parameter.dim() > 1 else 1
            groups.setdefault(min(1.0, reference_width / inputs), []).append(parameter)
        # The widest rate first: it is the one that curves show.
        ordered = sorted(groups.items(), reverse=True)
        super().__init__([{"params": same, "lr": lr * share} for share, same in ordered], lr=lr, **adam)
