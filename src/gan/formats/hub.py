"""Weights, configuration and model card: the folder that ``huggingface_hub`` uploads and loads."""

import json
from importlib import resources
from typing import Any

import torch

import gan
from gan.formats.base import Format, describe, trace_encoder, trace_generator
from gan.formats.trace import Operation, Program, Value, name_of
from gan.runs.run import Run

EXAMPLES = 16  # samples in the folder, to check a reader with


class Safetensors(Format):
    """``model.safetensors``, ``config.json``, ``README.md`` with a reader, and ``examples.safetensors``.

    With an encoder also ``encoder.safetensors`` and ``encoder.json``; the same reader maps images to latents.

    The reader in the card is plain torch: ``config.json`` lists the operations of the network. Names and values of the
    weights are those of the generator's ``state_dict()``, so that ``load_state_dict`` takes them too.
    """

    def files(self, run: Run, generator: str) -> dict[str, bytes]:
        from safetensors.torch import save

        program = trace_generator(run, generator)
        about = describe(run, generator, program)
        z, labels = run.sampler.latents(EXAMPLES, seed=0)
        examples = {"z": z, "labels": labels, "images": run.sampler.sample(generator, z, labels)}
        files, text = written(program, "model", "config", about), card(run, about)
        if "encoder" in run.sampler.offers:
            examples["codes"] = run.sampler.encode(generator, examples["images"]).cpu().contiguous()
            files |= written(trace_encoder(run, generator), "encoder", "encoder", {})
            text += resources.files("gan.formats").joinpath("encoder_card.md").read_text(encoding="utf-8")
        return files | {"examples.safetensors": save(examples, {"format": "pt"}), "README.md": text.encode()}


def written(program: Program, weights: str, config: str, about: dict[str, Any]) -> dict[str, bytes]:
    """A program as ``WEIGHTS.safetensors`` and ``CONFIG.json``, the latter with further entries ``about``."""
    from safetensors.torch import save

    values = {name: value.cpu().contiguous().clone() for name, value in program.weights.items()}
    return {
        f"{weights}.safetensors": save(values, {"format": "pt"}),
        f"{config}.json": json.dumps(about | encode(program), indent=1, ensure_ascii=False).encode(),
    }


def encode(program: Program) -> dict[str, Any]:
    """A program in types of JSON.

    Returns:
        ``operations``: [name, function, args, kwargs] each; ``%name`` in the arguments stands for a value and
        ``torch.float32`` for a dtype. ``weights``: the shape of each. ``output``: the name of the images.
    """
    return {
        "operations": [_encode_operation(operation) for operation in program.operations],
        "weights": {name: list(value.shape) for name, value in program.weights.items()},
        "output": program.output,
    }


def _encode_operation(operation: Operation) -> list:
    kwargs = {key: _encode_argument(value) for key, value in operation.kwargs.items()}
    return [operation.name, name_of(operation.function), _encode_argument(operation.args), kwargs]


def _encode_argument(argument: Any) -> Any:
    if isinstance(argument, Value):
        return f"%{argument}"
    if isinstance(argument, list):
        return [_encode_argument(each) for each in argument]
    if isinstance(argument, torch.device):
        return "%device"  # that of z
    return str(argument) if isinstance(argument, torch.dtype | torch.layout | torch.memory_format) else argument


def card(run: Run, about: dict) -> str:
    """The model card, in Markdown."""
    text = resources.files("gan.formats").joinpath("card.md").read_text(encoding="utf-8")
    channels, height, width = about["image_shape"]
    settings = [f"{key}={value}" for key, value in about["latent"].items() if key != "distribution"]
    rows = {
        "data": about["data"],
        "images": f"{channels}×{height}×{width} (C×H×W)",
        "latents": f"{about['latent']['distribution']} ({', '.join(settings)})",
        "labels": "none" if about["classes"] is None else f"0 to {about['classes'] - 1}",
        "generator": f"{about['generator']}, iteration {about['iteration']:,}, seed {about['seed']}",
        "network": run.cfg.model.generator._target_,
        "trained with": ", ".join(_targets(run)),
        "written by": f"gan {gan.__version__}, torch {torch.__version__}",
    }
    table = "\n".join(f"| {key} | {value} |" for key, value in rows.items())
    return text.replace("{{table}}", table)


def _targets(run: Run) -> list[str]:
    """The classes of method and loss."""
    parts = [run.cfg.get(key) for key in ("method", "loss")]
    return [part._target_ for part in parts if part and "_target_" in part]
