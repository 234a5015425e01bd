"""Constraints on weights, applied in place after each optimizer step."""

from torch import Tensor

from gan.core.checks import check_number


class WeightClipping:
    """Clips each weight to [-limit, limit]: a crude bound on the critic's Lipschitz constant.

    All parameters are clipped, biases too, after each of the player's steps. Arjovsky, Chintala, Bottou 2017,
    "Wasserstein GAN", Algorithm 1 (limit .01).

    Args:
        limit: above 0.
    """

    def __init__(self, limit: float = 0.01) -> None:
        check_number("(0, inf)", limit=limit)
        self.limit = limit

    def __call__(self, parameter: Tensor) -> None:
        parameter.clamp_(-self.limit, self.limit)
