"""Reads a generator that ``sample.py export=true`` wrote, without running anything that the file names."""

import json
from collections.abc import Collection
from pathlib import Path

from safetensors import SafetensorError, safe_open

from gan.core.errors import UserError, one_line
from gan.networks.base import Generator
from gan.networks.latents import Latent
from gan.runs.build import build_network
from gan.runs.instantiate import part
from gan.runs.limits import limit_networks
from gan.runs.run import trusted_config


def load_generator(path: str | Path, trust: str | Collection[str] | None = None) -> tuple[Generator, Latent]:
    """The generator and the prior in a ``.safetensors`` file; ``generator(latent.draw(RandomRows(), n))`` samples.

    Args:
        path: the file.
        trust: the user's own packages whose classes the file may name, such as ``my_gan``.

    Raises:
        UserError: another kind of file, a class that is neither of this program nor trusted, or weights that do not
            fit.
    """
    try:
        with safe_open(path, "pt") as file:
            about = json.loads((file.metadata() or {})["config"])
            weights = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        parts = {name: about[name] for name in ("model", "latent")}
        parts["model"] = {"generator": parts["model"]["generator"]}
    except OSError as error:
        raise UserError(f"{path}: {error.strerror or one_line(error)}.") from error
    except (SafetensorError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise UserError(
            f"{path} is not a generator that sample.py export=true wrote ({one_line(error)[:100]})."
        ) from error
    cfg = trusted_config(parts, str(path), trust)
    with limit_networks(cfg, weights, str(path)):
        generator, latent = build_network(cfg, "generator"), part(cfg, "latent")
        generator.load_state_dict(weights)
    return generator.eval(), latent
