"""The latent explorer: what its buttons, sliders and map do in a browser, and its parts in Python."""

import copy
import json

import pytest
import torch
from torch import nn

from gan.core.errors import UserError
from gan.formats.explorer import Explorer, directions, keeps_length, round_parameters
from gan.formats.primitives import Primitives
from gan.formats.trace import trace
from gan.networks import dcgan, mlp
from gan.networks.sampling import sample
from tests.formats.browser import evaluate
from tests.formats.cases import small_run

# Presses the button of class 3, moves the second direction to 1.5 and points at a corner of the map.
USE = """
    find("labels").children[3].click();
    const slider = state.sliders[1].input;
    slider.value = 1.5;
    slider.dispatchEvent(new Event("input"));
    const box = find("map").getBoundingClientRect();
    moveTo({ clientX: box.right, clientY: box.top });
    const z = latent(state.x, state.y);
    draw();
    const shown = find("image").getContext("2d").getImageData(0, 0, width, height).data;
    return { z, shown: [...shown], pressed: find("labels").querySelector("[aria-pressed=true]").textContent };
"""


@pytest.mark.processes
def test_a_user_chooses_a_class_a_direction_and_a_corner(tmp_path):
    run = small_run(("model=conditional", "latent=labelled"), tmp_path)
    page = Explorer(half_weights=False, latents=4).files(run, "raw")["explorer.html"].decode()
    answer = evaluate(page, USE, tmp_path)
    model = json.loads(page.partition('id="model">')[2].partition("</script>")[0])
    z = torch.tensor(model["latents"])
    low, high = z.min(), z.max()
    expected = (z[1] + 1.5 * torch.tensor(model["directions"][1])).clamp(low, high)
    assert answer["pressed"] == "3"
    assert torch.allclose(torch.tensor(answer["z"]), expected, atol=1e-5)
    (image,) = run.sampler.sample("raw", expected[None], torch.tensor([3]))
    shown = torch.tensor(answer["shown"]).reshape(8, 8, 4)
    assert (shown[..., 0] - 255 * image[0]).abs().max() <= 0.51
    assert (shown[..., 3] == 255).all()


def test_page_of_an_image_generator_without_labels_holds_no_class(tmp_path):
    page = Explorer(latents=4).files(small_run(("model=mlp",), tmp_path), "raw")["explorer.html"].decode()
    assert json.loads(page.partition('id="model">')[2].partition("</script>")[0])["classes"] is None
    assert "{{" not in page
    assert "http" not in page


def test_directions_of_a_linear_generator_are_its_singular_vectors():
    class Linear(nn.Module):
        def forward(self, z, labels):
            return (z * torch.tensor([1.0, 3.0, 2.0]))[:, None, None]

    found = directions(Linear(), torch.randn(4, 3), torch.zeros(4, dtype=torch.long))
    assert torch.allclose(found.abs(), torch.eye(3)[[1, 2, 0]], atol=1e-4)


def test_latents_keep_their_length_where_the_prior_is_a_shell():
    generator = torch.Generator().manual_seed(1)
    assert keeps_length(torch.randn(64, 100, generator=generator))
    assert not keeps_length(torch.randn(64, 2, generator=generator))


def test_a_weight_too_large_for_float16_is_refused():
    network = nn.Linear(2, 2)
    network.weight.data[0, 0] = 1e5
    with pytest.raises(UserError, match=r"weight exceeds float16; give format.half_weights=false"):
        round_parameters(network)


def test_an_operation_without_a_form_is_named():
    class Odd(mlp.Generator):
        def forward(self, z, labels=None):
            return super().forward(z).cumsum(1)

    z, labels = torch.randn(2, 4), torch.full((2,), -1)
    program = trace(Odd(4, (1, 2, 2), hidden=[3]), z, labels)
    with pytest.raises(UserError, match=r"no form of the operation cumsum.default \(cumsum\)"):
        Primitives(program, z[:1], labels[:1])


def test_a_network_that_branches_on_values_is_refused():
    class Branching(mlp.Generator):
        def forward(self, z, labels=None):
            return super().forward(z if z.sum() > 0 else -z)

    with pytest.raises(UserError, match=r"model.generator \(Branching\): torch.export cannot trace it"):
        trace(Branching(4, (1, 2, 2), hidden=[3]), torch.randn(2, 4), torch.full((2,), -1))


def test_tracing_leaves_the_network_as_it_is():
    network = dcgan.Generator(4, (1, 8, 8), width=2).train()
    before = copy.deepcopy(network.state_dict())
    z = torch.randn(2, 4)
    program = trace(network, z, torch.full((2,), -1))
    assert network.training
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert not program.uses_labels
    assert torch.allclose(program.exported.module()(z, torch.full((2,), -1)), sample(network, z), atol=1e-6)
