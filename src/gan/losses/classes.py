"""Objectives on class logits: the auxiliary classifier, and the categorical GAN."""

from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from gan.core.batch import Batch, Output
from gan.core.processes import gather_rows, mean_over_processes
from gan.losses.base import Loss, Pair, Term


class ClassLabels(Term):
    """The cross-entropy of D's class logits with the known labels, for both players.

    D minimizes it on real and generated examples, G on generated ones: L_C of Odena, Olah, Shlens 2017, "Conditional
    Image Synthesis with Auxiliary Classifier GANs", section 3. Examples without a label drop out. Where the data gives
    labelled examples of its own (``data.labels_per_class``), these take the place of the real batch.

    Args:
        generated: whether generated examples count, which needs a generator with labels; in semi-supervised learning
            they do not.
        **term: see :class:`gan.losses.base.Term`.
    """

    needs_outputs: ClassVar = {"classes": "conditioning=auxiliary_classifier"}

    def __init__(self, generated: bool = True, **term: Any) -> None:
        super().__init__(**term)
        self.generated = self.needs_labels = generated

    def discriminator(self, pair: Pair) -> Tensor:
        loss = self.on_real(pair)
        if self.generated:
            loss = loss + cross_entropy(pair.fake_output.classes, pair.fake.labels)
        return self.weight * loss

    def generator(self, pair: Pair) -> Tensor | None:
        return self.weight * cross_entropy(pair.fake_output.classes, pair.fake.labels) if self.generated else None

    def on_real(self, pair: Pair) -> Tensor:
        """The cross-entropy on real examples."""
        if pair.real.labelled_images is None:
            return cross_entropy(pair.real_output.classes, pair.real.labels)
        labels = pair.real.known_labels
        output = pair.outputs(Batch(images=pair.real.labelled_images, labels=labels))
        return cross_entropy(output.classes, labels)


class Categorical(Loss):
    """CatGAN: D is sure of the class of real examples, uses all classes equally, and is unsure of generated ones.

    D minimizes E H(p(y|x)) - H(E p(y|x)) - E H(p(y|G(z))); G minimizes E H(p(y|G(z))) - H(E p(y|G(z))). H is the
    entropy in nats, the inner means are over the batch. Springenberg 2016, "Unsupervised and Semi-supervised Learning
    with Categorical Generative Adversarial Networks", equations 7 and 9.
    """

    needs_outputs: ClassVar = {"classes": "conditioning=class_logits"}

    def discriminator(self, pair: Pair) -> Tensor:
        return unsureness(pair.real_output) - conditional_entropy(pair.fake_output)

    def generator(self, pair: Pair) -> Tensor:
        return unsureness(pair.fake_output)

    def report(self, pair: Pair) -> dict[str, Tensor]:
        """``entropy/real`` and ``entropy/fake``, means over the batch in nats, and ``rate/ordered``.

        A pair is ordered if D is less sure of the class of the generated example.
        """
        real, fake = (entropy(output.classes.detach().softmax(1)) for output in (pair.real_output, pair.fake_output))
        ordered = ((real < fake).float() + (real <= fake).float()).mean() / 2
        return {"entropy/real": real.mean(), "entropy/fake": fake.mean(), "rate/ordered": ordered}


def cross_entropy(classes: Tensor, labels: Tensor) -> Tensor:
    """The mean over the examples with a label, of all processes; 0 without one.

    Args:
        classes: logits (B, K).
        labels: int64 (B,), -1 where unknown.
    """
    known = labels >= 0
    losses = F.cross_entropy(classes, labels.clamp_min(0), reduction="none") * known
    count = mean_over_processes(known.sum().float())  # per process, as gradients are means over processes
    return losses.sum() / torch.where(count > 0, count, torch.ones_like(count))


def unsureness(output: Output) -> Tensor:
    """E H(p(y|x)) - H(E p(y|x)), minus the mutual information of example and class; in [-log K, 0]."""
    mean = gather_rows(output.classes.softmax(1)).mean(0, keepdim=True)
    return conditional_entropy(output) - entropy(mean).squeeze(0)


def conditional_entropy(output: Output) -> Tensor:
    """E H(p(y|x)), in [0, log K]."""
    return entropy(output.classes.softmax(1)).mean()


def entropy(probabilities: Tensor) -> Tensor:
    """The entropy of each row in nats, (B,); 0 · log 0 is 0, with a finite gradient."""
    return -(probabilities * probabilities.clamp_min(1e-12).log()).sum(1)
