"""Reads a generator that ``sample.py export=true`` wrote, without running anything that the file names."""

import hashlib
import json
from collections.abc import Collection, Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from gan.core.errors import UserError, one_line
from gan.networks.base import Generator, Network
from gan.networks.latents import Latent
from gan.runs.build import build_network
from gan.runs.instantiate import part
from gan.runs.limits import limit_networks
from gan.runs.run import trusted_config

LATENT = "latent:"  # before the names of the weights of a prior that was trained with G
CHECKSUM = "sha256"  # the entry of the metadata; the format itself has no checksum


def checksum(weights: Mapping[str, Tensor], metadata: Mapping[str, str]) -> str:
    """SHA-256 of the names, shapes and bytes of the weights, and of the metadata but the checksum itself."""
    digest = hashlib.sha256()
    for name, text in sorted(metadata.items()):
        digest.update(f"{name}={text}\n".encode() if name != CHECKSUM else b"")
    for name, weight in sorted(weights.items()):
        digest.update(f"{name} {weight.dtype} {tuple(weight.shape)}\n".encode())
        digest.update(weight.contiguous().flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()


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
            metadata = file.metadata() or {}
            about = json.loads(metadata["config"])
            weights = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        parts = {name: about[name] for name in ("model", "latent")}
        parts["model"] = {"generator": parts["model"]["generator"]}
        if wrapper := (about.get("conditioning") or {}).get("generator"):
            parts["conditioning"] = {"generator": wrapper}
    except OSError as error:
        raise UserError(f"{path}: {error.strerror or one_line(error)}.") from error
    except (SafetensorError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise UserError(
            f"{path} is not a generator that sample.py export=true wrote ({one_line(error)[:100]})."
        ) from error
    if metadata.get(CHECKSUM, expected := checksum(weights, metadata)) != expected:
        raise UserError(f"{path} is damaged (wrong checksum); take another copy, or export it again.")
    cfg = trusted_config(parts, str(path), trust)
    with limit_networks(cfg, weights, str(path)):
        generator, latent = build_network(cfg, "generator"), part(cfg, "latent")
        if not isinstance(generator, Generator):
            raise UserError(f"{path}: model.generator is a {type(generator).__name__}, no generator.")
        of_latent = {key.removeprefix(LATENT): v for key, v in weights.items() if key.startswith(LATENT)}
        generator.load_state_dict({key: v for key, v in weights.items() if not key.startswith(LATENT)})
        if isinstance(latent, Network):
            latent.load_state_dict(of_latent)
    return generator.eval(), latent
