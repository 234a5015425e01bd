"""Least squares in place of cross-entropy, on D's raw score: no sigmoid."""

from torch import Tensor

from gan.core.batch import Output
from gan.core.checks import check_number
from gan.losses.base import Loss, Pair


class LeastSquares(Loss):
    """D minimizes ½ E (t(x) - b)² + ½ E (t(G(z)) - a)²; G minimizes ½ E (t(G(z)) - c)².

    The best D is (b p_data + a p_g) / (p_data + p_g). With b - c = 1 and b - a = 2 the game minimizes Pearson's χ²
    between p_data + p_g and 2 p_g. Mao et al. 2017, "Least squares generative adversarial
    networks", equations 2, 8 and 9.

    Args:
        real: b, D's target for real images.
        fake: a, D's target for samples, less than b.
        generator: c, G's target for samples.
    """

    def __init__(self, real: float = 1.0, fake: float = 0.0, generator: float = 1.0) -> None:
        super().__init__()
        check_number(real=real, fake=fake, generator=generator)
        if not fake < real:
            raise ValueError(f"fake must be less than real, got {fake:g} and {real:g}")
        self.real_target, self.fake_target, self.generator_target = real, fake, generator

    def discriminator(self, pair: Pair) -> Tensor:
        real = (pair.real_output.logits - self.real_target).square().mean()
        return 0.5 * (real + (pair.fake_output.logits - self.fake_target).square().mean())

    def generator(self, pair: Pair) -> Tensor:
        return 0.5 * (pair.fake_output.logits - self.generator_target).square().mean()

    def probability(self, output: Output) -> Tensor:
        """The score on the line from a (0) to b (1): p_data / (p_data + p_g) for the best D."""
        return ((output.logits - self.fake_target) / (self.real_target - self.fake_target)).clamp(0, 1)
