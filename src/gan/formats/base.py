"""Base class of the formats, and what all of them describe."""

from abc import ABC, abstractmethod

from torch import Tensor, nn

from gan.formats.trace import Program, trace
from gan.runs.run import Run


class Format(ABC):
    """A file format for a trained generator."""

    @abstractmethod
    def files(self, run: Run, generator: str) -> dict[str, bytes]:
        """The contents of the files, by their names.

        Args:
            run: a finished or running run.
            generator: ``raw`` or ``ema``.

        Raises:
            UserError: the generator cannot be written in this format.
        """


def trace_generator(run: Run, generator: str) -> Program:
    """The generator of that name as a list of operations, on the CPU.

    Raises UserError for a network that torch cannot trace.
    """
    return trace(run.sampler.generator(generator), *run.sampler.latents(2, seed=0))


def trace_encoder(run: Run, generator: str) -> Program:
    """The encoder beside the generator of that name as a list of operations: images, named ``z``, to latents."""
    network = Encoding(run.sampler.encoder(generator), run.module.code_layer(run.sampler.generator(generator)))
    z, labels = run.sampler.latents(2, seed=0)
    return trace(network, run.sampler.sample(generator, z, labels), labels, "model.encoder")


class Encoding(nn.Module):
    """Images (B, C, H, W) to latents (B, dim).

    Args:
        encoder: images to its outputs.
        last: outputs to latents.
    """

    def __init__(self, encoder: nn.Module, last: nn.Module) -> None:
        super().__init__()
        self.encoder, self.last = encoder, last

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:  # the names of a program's inputs
        return self.last(self.encoder(z))


def describe(run: Run, generator: str, program: Program) -> dict:
    """What a reader of the files needs to know, in types of JSON: shapes, prior, classes and origin."""
    z, labels = run.sampler.latents(1, seed=0)
    (image,) = run.sampler.sample(generator, z, labels)
    latent = run.module.latent
    text = (type(latent).__doc__ or type(latent).__name__).splitlines()[0]
    settings = {key: value for key, value in vars(latent).items() if isinstance(value, int | float | str)}
    return {
        "latent_dim": z.shape[1],
        "latent": {"distribution": text} | settings,
        "image_shape": list(image.shape),
        "classes": getattr(latent, "classes", None) if program.uses_labels else None,
        "generator": generator,
        "iteration": run.iteration,
        "data": run.cfg.data._target_.rpartition(".")[2],
        "seed": run.cfg.seed,
    }
