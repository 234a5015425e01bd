"""Algorithm 1 of Goodfellow et al. 2014, independent of architectures, loss formulas and data sets."""

from collections.abc import Callable, Mapping
from typing import ClassVar

import torch
from torch import Tensor, nn

from gan.core.batch import Batch
from gan.core.checks import check_integer
from gan.core.errors import UserError
from gan.losses.base import Loss, Pair, Term
from gan.methods.base import Due, Logs, Method
from gan.methods.history import History
from gan.methods.lookahead import Lookahead
from gan.networks.base import Discriminator, Network, expect_shape


class GAN(Method):
    """GAN training: D takes a step on every batch, G on every k-th batch.

    Each G step uses new latents and a new forward pass through D. With ``simultaneous`` both gradients are computed
    at the same weights and on the same samples, as in the authors' code of 2014.

    Args:
        discriminator: maps a batch to its :class:`gan.core.batch.Output`.
        loss: the adversarial objectives of D and G.
        terms: penalties and auxiliary terms, by the name under which they are logged.
        k: G is trained on every k-th batch, at least 1; or a schedule: (iteration, iterations of the run) to k.
        g_steps: G steps on each such batch, at least 1.
        simultaneous: whether D and G step from the same weights on these batches; requires ``g_steps`` 1.
        same_batch: whether D's k steps are all on the same images, each with new samples; G is then trained on every
            batch.
        discriminator_ema: whether D's weights have an EMA, too, as G's. Metrics of D then use it beside the EMA of G.
        history: (latest generated batch, random numbers, pack) to the generated batch of D's step; None for the latest.
        lookahead: (pair, objectives) to the discriminator of G's step; None for the current D.
        **base: see :class:`gan.methods.base.Method`.
    """

    player_names: ClassVar[tuple[str, ...]] = ("discriminator", "generator")

    def __init__(
        self,
        *,
        discriminator: Discriminator,
        loss: Loss,
        terms: Mapping[str, Term] | None = None,
        k: int | Callable[[int, int], float] = 1,
        g_steps: int = 1,
        simultaneous: bool = False,
        same_batch: bool = False,
        discriminator_ema: bool = False,
        history: History | None = None,
        lookahead: Lookahead | None = None,
        **base,
    ) -> None:
        super().__init__(**base)
        if not callable(k):
            check_integer("[1, inf)", k=k)
        check_integer("[1, inf)", g_steps=g_steps)
        if simultaneous and g_steps != 1:
            raise ValueError(f"g_steps must be 1 with simultaneous updates, one of each player, got {g_steps}")
        self.discriminator, self.loss, self.terms = discriminator, loss, nn.ModuleDict(terms or {})
        if simultaneous and same_batch:
            raise ValueError("same_batch needs alternating updates: set optim.simultaneous=false")
        if simultaneous and (history or lookahead):
            raise ValueError(
                "history and lookahead give D and G different inputs, so they need alternating updates: set "
                "optim.simultaneous=false"
            )
        self.k, self.g_steps, self.simultaneous, self.same_batch = k, g_steps, simultaneous, same_batch
        self.history, self.lookahead = history, lookahead
        if discriminator_ema:
            self.keep_ema("discriminator")

    @property
    def offers(self) -> frozenset[str]:  # type: ignore[override]
        return super().offers | self.discriminator.offers

    @property
    def trained_networks(self) -> dict[str, tuple[Network, ...]]:
        return {"discriminator": (self.discriminator,), "generator": (self.generator, *self.trained_latent)}

    @property
    def objectives(self) -> dict[str, Term]:
        return {"": self.loss} | dict(self.terms.items())  # type: ignore[arg-type]

    # Algorithm 1

    def train_on_batch(self, batch: Batch) -> Logs:
        generators_turn = self.is_generators_turn(self.iteration)
        if generators_turn and self.simultaneous:
            return self.take_steps(batch, self.simultaneous_step, "discriminator", "generator")
        for _ in range(self.k_at(self.iteration) if self.same_batch else 1):
            logs = self.take_steps(batch, self.discriminator_step, "discriminator")
        for _ in range(self.g_steps * generators_turn):
            logs |= self.take_steps(batch, self.generator_step, "generator")
        return logs

    def discriminator_step(self, batch: Batch, due: Mapping[str, Due]) -> Logs:
        """D's gradient on m images and m samples."""
        with self.only_trainable("discriminator"):
            real, fake = self.real(batch), self.fake(batch)
            if self.history is not None:
                fake = self.history(fake, self.random_rows, self.discriminator.pack)
            joint = not self.discriminator.mixes_batch
            sides = {term.needs_gradient_at for term in due["discriminator"].values()} - {None}
            gradients = len(sides) == 2 and not torch.is_autocast_enabled(self.device.type)
            pair = Pair(self.discriminator, real, fake, self.random_rows, joint, gradients)
            return self.discriminator_gradient(pair, due["discriminator"])

    def generator_step(self, batch: Batch, due: Mapping[str, Due]) -> Logs:
        """G's gradient on m fresh samples, through D."""
        terms = due["generator"]
        with self.only_trainable("generator"):
            pair = Pair(self.discriminator, self.real(batch), self.fake(batch), self.random_rows)
            if self.lookahead is not None:
                pair.discriminator = self.lookahead(pair, self.objectives)
            parts = {name: term.generator(pair) for name, term in terms.items()}
            return self.compute_gradient("generator", parts, terms)

    def simultaneous_step(self, batch: Batch, due: Mapping[str, Due]) -> Logs:
        """Both gradients from one forward pass through each network."""
        real, fake = self.real(batch), self.fake(batch)
        # The graph is cut at what G's player has made, so that each backward pass reaches only one player's weights.
        pair = Pair(self.discriminator, cut(real), cut(fake), self.random_rows)
        logs = self.loss.report(pair)
        parts, terms = {}, due["generator"]
        gradient_of_d = {name: term.discriminator(pair) for name, term in due["discriminator"].items()}
        for name, term in terms.items():
            parts[name] = term.generator(pair)
        total = torch.stack([part * terms[name].every for name, part in parts.items() if part is not None]).sum()
        ends = {
            leaf: value
            for made, leaves in ((real, pair.real), (fake, pair.fake))
            for (_, value), (_, leaf) in zip(made.items(), leaves.items(), strict=True)
            if leaf.requires_grad
        }
        slopes = torch.autograd.grad(total, list(ends), retain_graph=True, allow_unused=True)
        mine = self.parameters_of("discriminator")
        logs |= self.compute_gradient("discriminator", gradient_of_d, due["discriminator"], inputs=mine)
        for term in due["discriminator"].values():
            term.update_state(pair)
        products = [(v * g).sum() for v, g in zip(ends.values(), slopes, strict=True) if g is not None]
        self.compute_gradient("generator", {"": sum(products[1:], start=products[0])})  # samples to weights
        named = {
            f"loss/generator/{name}".rstrip("/"): part.detach() for name, part in parts.items() if part is not None
        }
        return logs | named

    def discriminator_gradient(self, pair: Pair, terms: Due) -> Logs:
        """Computes D's gradient on a pair, then updates the state of the terms."""
        parts = {name: term.discriminator(pair) for name, term in terms.items()}
        logs = self.compute_gradient("discriminator", parts, terms)
        for term in terms.values():
            term.update_state(pair)
        return self.loss.report(pair) | logs

    # The two inputs of D

    def real(self, batch: Batch) -> Batch:
        """The real batch of a pair."""
        return batch

    def fake(self, batch: Batch) -> Batch:
        """The generated batch of a pair, of the same size and with the same labels as the real one."""
        z, labels = self.latent(self.random_rows, batch.labels)
        return Batch(images=self.generator(z, labels).float(), labels=labels, z=z)

    # The order of the updates

    def is_generators_turn(self, iteration: int) -> bool:
        """Whether G is trained on the batch that follows ``iteration`` batches."""
        return self.same_batch or (iteration + 1) % self.k_at(iteration) == 0

    def k_at(self, iteration: int) -> int:
        """k after ``iteration`` batches; raises UserError if a schedule gives less than 1."""
        k = int(self.k(iteration, self.total_iterations)) if callable(self.k) else self.k
        if k < 1:
            raise UserError(f"k must be at least 1, its schedule gives {k} at iteration {iteration}.")
        return k

    def total_updates(self, player: str) -> int:
        if self.same_batch:
            if player == "generator":
                return self.total_iterations * self.g_steps
            if callable(self.k):
                return sum(map(self.k_at, range(self.total_iterations)))
            return self.total_iterations * self.k
        if player == "discriminator":
            return self.total_iterations
        if callable(self.k):
            turns = sum(self.is_generators_turn(iteration) for iteration in range(self.total_iterations))
        else:
            turns = self.total_iterations // self.k
        return max(1, turns * self.g_steps)

    def check(self, batch: Batch) -> list[str]:
        names = super().check(batch)
        for iteration in range(self.total_iterations if callable(self.k) else 0):
            self.k_at(iteration)
        if self.loss.needs_energy and not self.discriminator.is_energy:
            raise UserError("loss is one of energies: model.discriminator must be an autoencoder, take model=energy.")
        with torch.no_grad():
            real, fake = self.real(batch), self.fake(batch)
            if self.discriminator.needs_z and real.z is None:
                raise UserError(
                    "model.discriminator is given z with each image, which this method has of samples alone; take "
                    "method=bigan."
                )
            pair = Pair(self.discriminator, real, fake)
            for name, term in self.objectives.items():
                for output, option in term.needs_outputs.items():
                    if getattr(pair.fake_output, output) is None:
                        key = f"auxiliary.{name}" if name else "loss"
                        raise UserError(f"{key} needs a discriminator with {output}; take {option}.")
                if term.needs_labels and not self.generator.needs_labels:
                    raise UserError(f"auxiliary.{name}.generated=true needs a generator with labels; set it to false.")
            if (logits := pair.real_output.logits) is not None:
                expect_shape("model.discriminator", logits, logits.shape[:1])
            return [*self.loss.report(pair), *names]

    def probability(self, images: Tensor) -> Tensor | None:
        """D(x) of images (B, C, H, W), float64 (B,) on the CPU; None if D or the loss has none per image."""
        if self.discriminator.mixes_batch or self.discriminator.needs_z:
            return None
        labels = torch.full((len(images),), -1, device=images.device)
        output = self.discriminator(Batch(images=images, labels=labels))
        return self.loss.probability(output.map(lambda value: value.cpu().double()))


def cut(batch: Batch) -> Batch:
    """The batch with new leaves in place of what has a graph."""
    return batch.map(lambda value: value.detach().requires_grad_(True) if value.requires_grad else value)
