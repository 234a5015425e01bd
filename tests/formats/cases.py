"""Every generator in conf/model, and every normalization in one of them, as small untrained runs."""

import copy

import torch
from torch import nn

from gan.runs import build
from gan.runs.run import Run
from tests.test_conf import choices, composed, needs

WIDTHS = ("model.generator.width=8", "model.generator.units=16")  # multiples of the groups of group normalization
NORMALIZED = [
    ("model=infogan", f"normalization@model.generator.normalization={name}", *WIDTHS)
    for name in choices("normalization")
]
CASES = [(f"model={name}",) for name in choices("model")] + NORMALIZED


def small_run(case, folder):
    """A run with a narrow network of random weights and statistics, never trained."""
    cfg = composed(folder, *case, *needs(case[0]), "latent.dim=6", *[w for w in needs(case[0]) if "latent.dim" in w])
    torch.manual_seed(1)
    module = build.module(cfg)
    for generator in module.generators().values():
        randomize(generator)
    return Run(folder, cfg, lambda: module.eval(), iteration=1)


def randomize(network):
    """No weight, gain, shift or running statistic keeps a value that would hide a mistake, such as 0 or 1."""
    for name, value in [*network.named_parameters(), *network.named_buffers()]:
        if value.is_floating_point():
            noise = torch.randn(value.shape) / max(1, value[:1].numel()) ** 0.5  # saturates no tanh
            value.data = noise.abs() + 0.5 if name.endswith("running_var") else noise


def rounded(generator: nn.Module) -> nn.Module:
    """A copy whose parameters are those that float16 represents."""
    generator = copy.deepcopy(generator)
    for parameter in generator.parameters():
        parameter.data = parameter.data.half().float()
    return generator
