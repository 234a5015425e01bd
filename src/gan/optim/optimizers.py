"""Optimizers that torch lacks."""

from collections.abc import Iterable
from typing import Any

import torch
from torch.nn import Parameter

from gan.core.checks import check_number


class WidthScaledAdam(torch.optim.Adam):
    """Adam with a learning rate that falls with the number of a matrix's inputs.

    A step of Adam moves every weight by about the learning rate, whatever the gradient's size. The steps of a
    unit's weights mostly agree in sign, so its pre-activation moves by about rate × inputs. With 8,000 inputs, a
    rate that suits a layer of 100 shifts all units in the same direction for every z, and the generator collapses
    to one image. Dividing by the number of inputs is the rule of Yang, Hu et al. 2021, "Tensor Programs V",
    table 3, for hidden layers under Adam.

    Args:
        params: parameters; the number of inputs is the number of values in the first row, (out, in, …).
        lr: the rate of vectors and of matrices with at most ``reference_width`` inputs; with n inputs the rate is
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
        # The largest rate first: it is the one shown in the curves.
        ordered = sorted(groups.items(), reverse=True)
        super().__init__([{"params": same, "lr": lr * share} for share, same in ordered], lr=lr, **adam)
