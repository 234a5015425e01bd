"""A latent explorer: the generator and its prior in one HTML file, which works without a server."""

import base64
import copy
import json
from importlib.resources import files

import torch
from torch import Tensor, nn

from gan.core.checks import check_integer
from gan.core.errors import UserError
from gan.data.base import ImageData
from gan.figures.drawing import check_channels
from gan.formats.base import Format, describe
from gan.formats.primitives import Primitives
from gan.formats.trace import trace
from gan.networks.sampling import sample
from gan.runs.run import Run

DIRECTIONS = 8  # at most
POINTS = 16  # latents over which the change of the images is averaged
STEP = 0.05  # of the finite differences


class Explorer(Format):
    """``explorer.html``: samples to drag between, sliders for directions and coordinates, a button for each class.

    Args:
        half_weights: whether the network's parameters are rounded to float16.
        latents: from the prior, in the page, at least 4.
        seed: of these latents.
    """

    def __init__(self, half_weights: bool = True, latents: int = 64, seed: int = 0) -> None:
        check_integer("[4, inf)", latents=latents)
        check_integer(seed=seed)
        self.half_weights, self.latents, self.seed = half_weights, latents, seed

    def files(self, run: Run, generator: str) -> dict[str, bytes]:
        if not isinstance(run.data, ImageData):
            raise UserError(f"format=html shows images; {run.folder} was trained on {run.cfg.data._target_}.")
        check_channels(run.cfg.data.channels)
        network = copy.deepcopy(run.sampler.generator(generator)).cpu().eval()
        if self.half_weights:
            round_parameters(network)
        z, labels = run.sampler.latents(self.latents, self.seed)
        program = trace(network, z[:2], labels[:2])
        about = describe(run, generator, program)
        if program.uses_labels and about["classes"] is None:
            raise UserError(f"format=html: latent {type(run.module.latent).__name__} has no attribute `classes`.")
        model = {
            **{key: about[key] for key in ("data", "generator", "iteration", "seed", "image_shape", "classes")},
            **encode(Primitives(program, z[:1], labels[:1])),
            "latents": rounded(z),
            "directions": rounded(directions(network, z[:POINTS], labels[:POINTS])),
            "keeps_length": keeps_length(z),
        }
        return {"explorer.html": page(model).encode()}


def round_parameters(network: nn.Module) -> None:
    """Rounds the parameters to the nearest float16, in place; UserError for one that is too large."""
    for name, parameter in network.named_parameters():
        half = parameter.data.half()
        if not half.isfinite().all():
            raise UserError(f"format.half_weights=true: {name} exceeds float16; give format.half_weights=false.")
        parameter.data = half.float()


def encode(primitives: Primitives) -> dict:
    """Steps and constants in types of JSON.

    Returns:
        ``steps``, ``output``; ``constants``: name, dtype, shape, place of the first byte in ``weights``, which is in
        base64. A constant that float16 represents exactly takes float16.
    """
    table, parts, place = [], [], 0
    for name, tensor in primitives.constants.items():
        half = tensor.half()
        if tensor.is_floating_point() and half.float().equal(tensor):
            tensor = half
        data = tensor.contiguous().numpy().tobytes()
        data += bytes(-len(data) % 4)  # a typed array starts at a multiple of its size
        table.append([name, str(tensor.dtype).removeprefix("torch."), list(tensor.shape), place])
        parts.append(data)
        place += len(data)
    return {
        "steps": [step._asdict() for step in primitives.steps],
        "output": primitives.output,
        "constants": table,
        "weights": base64.b64encode(b"".join(parts)).decode(),
    }


def directions(network: nn.Module, z: Tensor, labels: Tensor) -> Tensor:
    """The directions in which the images change most: the first eigenvectors of E[JᵀJ], J = dG/dz.

    Args:
        network: the generator.
        z: the latents over which the mean is taken, (N, dim).
        labels: int64 (N,).

    Returns:
        Unit vectors (K, dim), K = min(dim, 8), orthogonal, the strongest first.
    """
    dim = z.shape[1]
    products = torch.zeros(dim, dim, dtype=torch.float64)
    for one, label in zip(z, labels, strict=True):
        around = torch.cat([one + STEP * torch.eye(dim), one - STEP * torch.eye(dim)])
        high, low = sample(network, around, label.repeat(2 * dim)).flatten(1).double().chunk(2)
        difference = (high - low) / (2 * STEP)  # the rows of Jᵀ
        products += difference @ difference.T
    return torch.linalg.eigh(products / len(z)).eigenvectors.T.flip(0)[:DIRECTIONS].float()


def keeps_length(z: Tensor) -> bool:
    """Whether the latents (N, dim) are of nearly the same norm, so that a point between two should have it too."""
    norms = z.norm(dim=1)
    return bool(norms.std() < 0.3 * norms.mean())


def rounded(values: Tensor) -> list:
    """Nested lists of three decimals."""
    return [[round(value, 3) for value in row] for row in values.tolist()]


def page(model: dict) -> str:
    """The HTML file."""
    folder = files("gan.formats").joinpath("page")
    text = folder.joinpath("explorer.html").read_text(encoding="utf-8")
    data = json.dumps(model, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    scripts = {name: folder.joinpath(name).read_text(encoding="utf-8") for name in ("network.js", "explorer.js")}
    for name, content in {**scripts, "model": data}.items():
        text = text.replace("{{" + name + "}}", content)
    return text
