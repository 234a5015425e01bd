"""No game: what D learns without G, the baseline of semi-supervised learning."""

from typing import ClassVar

from torch import Tensor

from gan.losses.base import Loss, Pair


class NoGame(Loss):
    """Both objectives are 0: only auxiliary terms train D, and nothing trains G.

    With ``auxiliary=class_labels`` D is an ordinary classifier, trained on the labelled images alone.
    """

    needs_outputs: ClassVar = {"classes": "conditioning=class_logits"}

    def discriminator(self, pair: Pair) -> Tensor:
        return 0 * pair.real_output.logits.sum()

    def generator(self, pair: Pair) -> Tensor:
        return 0 * pair.fake_output.logits.sum()
