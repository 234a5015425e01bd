"""ONNX: the generator for onnxruntime and other inference engines."""

import contextlib
import io
import json
import logging
import warnings

import torch

from gan.core.errors import UserError, one_line
from gan.formats.base import Format, describe, trace_generator
from gan.runs.run import Run


class Onnx(Format):
    """``model.onnx``: input ``z`` (B, dim), with ``labels`` int64 (B,) for a conditional generator; output ``images``.

    B is free. ``images`` is float32 (B, C, H, W) in [0, 1] for images. The model's metadata describe prior and origin.
    """

    def files(self, run: Run, generator: str) -> dict[str, bytes]:
        _check_packages()
        program = trace_generator(run, generator)
        model = _convert(program.exported)
        if not program.uses_labels:
            del model.graph.input[1]
        for key, value in describe(run, generator, program).items():
            entry = model.metadata_props.add()
            entry.key, entry.value = key, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        return {"model.onnx": model.SerializeToString()}


def _check_packages() -> None:
    try:
        import onnx  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise UserError(f"format=onnx needs the package {error.name}: pip install onnx 'onnxscript>=0.6.2'.") from error


def _convert(exported: torch.export.ExportedProgram):
    """The ``onnx.ModelProto`` of a program; its only output is named ``images``."""
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    logging.getLogger("onnxscript").setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):  # torch reports its progress
            warnings.simplefilter("ignore")
            return torch.onnx.export(exported, dynamo=True, output_names=["images"]).model_proto
    except torch.onnx.errors.OnnxExporterError as error:
        raise UserError(f"format=onnx: {one_line(error)[:200]}.") from error
