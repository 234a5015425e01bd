"""Learning rates that fall with the width of a layer."""

import pytest
import torch
from torch import nn

from gan.optim.optimizers import WidthScaledAdam


def test_learning_rate_falls_with_the_number_of_inputs():
    net = nn.Sequential(nn.Linear(10, 400), nn.Linear(400, 30), nn.Conv2d(8, 2, 5))
    optimizer = WidthScaledAdam(net.parameters(), lr=0.1, reference_width=100)
    rate = {id(p): group["lr"] for group in optimizer.param_groups for p in group["params"]}
    assert rate[id(net[0].weight)] == rate[id(net[0].bias)] == rate[id(net[1].bias)] == 0.1
    assert rate[id(net[1].weight)] == pytest.approx(0.1 * 100 / 400)
    assert rate[id(net[2].weight)] == pytest.approx(0.1 * 100 / (8 * 25))
    assert len(rate) == 6
    assert optimizer.param_groups[0]["lr"] == 0.1  # the rate that is logged
    assert WidthScaledAdam([net[1].weight, net[1].bias], lr=0.1).param_groups[0]["lr"] == 0.1


def test_step_changes_wide_and_narrow_units_equally():
    moved = []
    for inputs in (100, 2000):
        layer = nn.Linear(inputs, 3, bias=False)
        optimizer = WidthScaledAdam(layer.parameters(), lr=1e-3, reference_width=100)
        x = torch.ones(1, inputs)
        before = layer(x)
        before.sum().backward()
        optimizer.step()
        moved.append((before - layer(x)).mean().item())
    assert moved[0] == pytest.approx(100 * 1e-3, rel=1e-3)
    assert moved[1] == pytest.approx(moved[0], rel=1e-3)


def test_narrow_layers_are_updated_as_by_adam():
    nets = [nn.Linear(5, 5) for _ in range(2)]
    nets[1].load_state_dict(nets[0].state_dict())
    for net, make in zip(nets, (torch.optim.Adam, WidthScaledAdam), strict=True):
        optimizer = make(net.parameters(), lr=0.01, betas=(0.5, 0.999), fused=True)
        for _ in range(5):
            optimizer.zero_grad()
            net(torch.arange(5.0)).square().sum().backward()
            optimizer.step()
    assert torch.equal(nets[0].weight, nets[1].weight)


def test_reference_width_must_be_positive():
    with pytest.raises(ValueError, match=r"reference_width must be a number above 0, got 0"):
        WidthScaledAdam([nn.Parameter(torch.zeros(1))], lr=1, reference_width=0)
