"""Faster layers compute the same and are removed after training; process-wide settings."""

import copy
import ctypes
import os
import subprocess
import sys
from importlib import import_module

import pytest
import torch
from omegaconf import OmegaConf
from pytorch_lightning.callbacks import Callback
from torch.func import functional_call, grad, vmap

from gan.app.prepare import prepare
from gan.core.batch import Batch
from gan.methods import tricks
from gan.methods.tricks import (
    FastDropout,
    FastLinear,
    configure_process,
    keep_freed_memory,
    use_fast_layers,
    use_plain_layers,
)
from gan.networks import mlp
from gan.networks.layers import Dropout
from gan.runs.build import build
from tests.core.test_hardware import ZEN3, ZEN4


class Mallinfo2(ctypes.Structure):
    _fields_ = [
        (name, ctypes.c_size_t)
        for name in [
            "arena",
            "ordblks",
            "smblks",
            "hblks",
            "hblkhd",
            "usmblks",
            "fsmblks",
            "uordblks",
            "fordblks",
            "keepcost",
        ]
    ]


def kept(library, size):
    """Bytes that the library keeps after a block of this size is freed."""
    block = library.malloc(size)
    before = library.mallinfo2().fordblks
    library.free(block)
    return library.mallinfo2().fordblks - before


@pytest.mark.processes
@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallinfo2"), reason="about glibc 2.33 or newer")
def test_freed_memory_is_kept_for_reuse():
    """In a process of its own: here other tests have left free memory, which a block would reuse."""
    code = "from tests.methods.test_tricks import freed_memory_is_used_again as check; check()"
    subprocess.run([sys.executable, "-c", code], check=True)


def freed_memory_is_used_again():
    library = ctypes.CDLL(None)
    library.mallinfo2.restype = Mallinfo2
    library.malloc.restype, library.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
    library.free.argtypes = [ctypes.c_void_p]
    size = 2**24
    mmap_threshold, trim_threshold = -3, -1
    library.mallopt(mmap_threshold, 2**17)  # as glibc begins
    library.mallopt(trim_threshold, 2**17)
    assert kept(library, size) < size / 2
    keep_freed_memory()
    assert kept(library, size) >= size


@pytest.mark.parametrize(("largest", "told"), [(2**28, [28, 30]), (2**25, [28, 25, 30]), (0, [28, 25])])
def test_both_malloc_thresholds_are_set_or_neither(monkeypatch, largest, told):
    """One threshold without the other is worse than neither."""
    asked = []

    class Library:
        @staticmethod
        def mallopt(key, value):
            asked.append(value.bit_length() - 1)
            return int(key == -1 or value <= largest)

    monkeypatch.setattr(ctypes, "CDLL", lambda name: Library)
    keep_freed_memory()
    assert asked == told


def test_nvml_check_is_unset_without_a_gpu(monkeypatch):
    monkeypatch.setenv("PYTORCH_NVML_BASED_CUDA_CHECK", "1")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    configure_process()
    assert "PYTORCH_NVML_BASED_CUDA_CHECK" not in os.environ
    monkeypatch.setenv("PYTORCH_NVML_BASED_CUDA_CHECK", "1")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    configure_process()
    assert os.environ["PYTORCH_NVML_BASED_CUDA_CHECK"] == "1"


@pytest.mark.parametrize("module", ["train", "evaluate", "sample"])
def test_every_command_turns_tf32_convolutions_off(module, monkeypatch):
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    with pytest.raises(Exception):  # noqa: B017, PT011 (nothing is configured)
        import_module(f"gan.app.{module}").run(OmegaConf.create({"ckpt_path": None}))
    assert torch.backends.cudnn.allow_tf32 is False


class Small(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = torch.nn.Sequential(torch.nn.Linear(300, 200), Dropout(0.5), torch.nn.Linear(200, 100))
        self.spectral = torch.nn.utils.parametrizations.spectral_norm(torch.nn.Linear(4, 4))


@pytest.mark.parametrize(("cpu", "linear"), [(ZEN4, FastLinear), (ZEN3, torch.nn.Linear)])
def test_fast_layers_replace_plain_ones_and_back(monkeypatch, cpu, linear):
    monkeypatch.setattr(tricks, "processor", lambda: cpu)
    module = Small()
    spectral, state = type(module.spectral), module.state_dict()
    assert [type(layer) for layer in use_fast_layers(module).layers] == [linear, FastDropout, linear]
    assert type(module.spectral) is spectral
    assert module.state_dict().keys() == state.keys()
    assert type(copy.deepcopy(module).layers[1]) is FastDropout
    use_plain_layers(module)
    assert [type(layer) for layer in module.layers] == [torch.nn.Linear, Dropout, torch.nn.Linear]


def test_fit_uses_fast_layers_and_restores_plain_ones(configure):
    seen = []

    class RecordLayers(Callback):
        def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
            seen.append({type(layer) for layer in pl_module.modules()})

    cfg = configure("trainer.max_steps=1", "logger=none")
    game = build(cfg)
    prepare(game, cfg)
    game.trainer.callbacks.append(RecordLayers())
    game.trainer.fit(game.module, game.data)
    module = game.module
    assert FastDropout in seen[0]
    assert not any(isinstance(layer, FastDropout | FastLinear) for layer in module.modules())


def test_networks_can_be_exported_and_vectorized():
    """Outside of training, torch.export and torch.func get plain modules."""
    generator = mlp.Generator(5, (1, 8, 8), [16]).eval()
    exported = torch.export.export(generator, (torch.randn(3, 5),)).module()
    z = torch.randn(3, 5)
    assert torch.equal(exported(z), generator(z))
    discriminator = mlp.Discriminator((1, 8, 8), [16], dropout=0.5).eval()
    x = torch.rand(4, 1, 8, 8)
    weights = dict(discriminator.named_parameters())

    def logit(weights, image):
        return functional_call(discriminator, weights, (Batch(images=image[None]),)).logits[0]

    per_example = vmap(grad(logit), (None, 0))(weights, x)
    discriminator.score(x).sum().backward()
    for name, weight in weights.items():
        assert torch.allclose(per_example[name].sum(0), weight.grad, atol=1e-5)
