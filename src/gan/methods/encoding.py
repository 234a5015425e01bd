"""Methods that train an encoder: what metrics and figures of codes and reconstructions need."""

from typing import Any

import torch
from torch import Tensor, nn

from gan.core.batch import Batch
from gan.core.errors import UserError
from gan.methods.base import Method
from gan.networks.base import Encoder, expect_shape


class Encoding(Method):
    """A method with an encoder, which is averaged as G is; combine it with the class of the training.

    Args:
        encoder: maps images to codes (B, dim) or, with ``per_code`` 2, to mean and log variance (B, 2 · dim).
        **base: see :class:`gan.methods.base.Method`.
    """

    #: outputs of the encoder per coordinate of a code
    per_code = 1

    def __init__(self, *, encoder: Encoder, **base: Any) -> None:
        super().__init__(**base)
        self.encoder = encoder
        self.keep_ema("encoder")
        self.register_load_state_dict_pre_hook(add_encoder_ema)

    @property
    def offers(self) -> frozenset[str]:
        """As of the other methods, and ``encoder``."""
        return super().offers | {"encoder"}

    def encoders(self) -> dict[str, Encoder]:
        """The encoders by the names of the generators: ``raw``, and ``ema`` if there is one."""
        return {"raw": self.encoder} | ({"ema": self.encoder_ema} if self.encoder_ema is not None else {})

    def code_layer(self, generator: nn.Module) -> nn.Module:
        """A layer from the encoder's outputs (B, per_code · dim) to the latents z (B, dim) of reconstructions.

        Args:
            generator: which of :meth:`generators` gets the latents.
        """
        return First(self.latent.dim)

    def check(self, batch: Batch) -> list[str]:
        dim = self.latent.dim
        with torch.no_grad():
            outputs = self.encoder(batch.images)
        shape = (len(batch), self.per_code * dim)
        if outputs.shape != shape and outputs.shape in [(len(batch), dim), (len(batch), 2 * dim)]:
            raise UserError(
                f"model.encoder returns shape {tuple(outputs.shape)}, expected {shape}; set model.encoder.per_code="
                f"{self.per_code}, the number of outputs for each coordinate of a code."
            )
        expect_shape("model.encoder", outputs, shape)
        return super().check(batch)


class First(nn.Module):
    """The first ``dim`` of some columns."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, outputs: Tensor) -> Tensor:
        return outputs[:, : self.dim]


def add_encoder_ema(method: Encoding, state: dict[str, Any], *_: Any) -> None:
    """Checkpoints of versions without an EMA of the encoder get its weights in its place."""
    if method.encoder_ema is not None and not any(name.startswith("encoder_ema.") for name in state):
        found = {n: v for n, v in state.items() if n.startswith("encoder.")}
        state |= {name.replace("encoder.", "encoder_ema.", 1): value.clone() for name, value in found.items()}
