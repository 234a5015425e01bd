"""Historical averaging of weights whose path is known."""

import pytest
import torch
from torch import nn

from gan.core.batch import Batch
from gan.core.errors import UserError
from gan.losses.base import Pair
from gan.losses.historical_average import HistoricalAverage
from gan.runs.build import build

NOTHING = Pair(lambda batch: None, Batch(), Batch())


def bound(weight=2.0):
    networks = {"discriminator": (nn.Linear(2, 1, bias=False),), "generator": (nn.Linear(1, 1, bias=False),)}
    term = HistoricalAverage(weight=weight)
    term.bind(networks)
    return term, *(several[0].weight for several in networks.values())


def put(weight, *values):
    with torch.no_grad():
        weight.copy_(torch.tensor([values]))


def test_distance_is_from_the_mean_of_former_weights():
    term, d, g = bound()
    assert term.discriminator(NOTHING).item() == 0
    for values in ((1.0, 0.0), (3.0, 2.0), (5.0, 1.0)):
        put(d, *values)
        put(g, values[0])
        term.update_state(NOTHING)
    put(d, 4.0, 3.0)
    put(g, -1.0)
    assert term.discriminator(NOTHING).item() == pytest.approx(2 * ((4 - 3) ** 2 + (3 - 1) ** 2), rel=1e-6)
    (slope,) = torch.autograd.grad(term.discriminator(NOTHING), d)
    assert slope.flatten().tolist() == pytest.approx([4.0, 8.0], rel=1e-6)
    assert term.generator(NOTHING).item() == pytest.approx(2 * (-1 - 3) ** 2, rel=1e-6)
    (slope,) = torch.autograd.grad(term.generator(NOTHING), g)
    assert slope.item() == pytest.approx(-16.0, rel=1e-6)


def test_state_is_in_buffers_and_the_weights_are_not():
    term, d, _ = bound()
    places = [value.data_ptr() for value in term.buffers()]
    put(d, 1.0, 2.0)
    term.update_state(NOTHING)
    assert places == [value.data_ptr() for value in term.buffers()]
    assert set(term.state_dict()) == {"steps", "discriminator_0", "generator_0"}
    assert not list(term.parameters())
    other, again, _ = bound()
    other.load_state_dict(term.state_dict())
    put(again, 3.0, 2.0)
    assert other.discriminator(NOTHING).item() == pytest.approx(2 * 4.0)


def test_training_holds_the_means_of_both_players(configure, run_training):
    """The mean over D's steps of the weights before each; and both players log the term."""
    logs, seen = {}, []
    cfg = configure("auxiliary=historical_average", "trainer.max_steps=4", "callbacks=none", "logger=none")
    game = build(cfg)
    step = game.module.train_on_batch

    def recorded(batch):
        seen.append([w.detach().clone() for w in (game.module.generator.layers[0].weight,)])
        logs.update(found := step(batch))
        return found

    game.module.train_on_batch = recorded
    game.data.setup("fit")
    game.module.total_iterations = 4
    game.trainer.fit(game.module, game.data)
    means = game.module.terms["historical_average"]
    assert torch.allclose(means.generator_0, torch.stack([weights[0] for weights in seen]).mean(0), atol=1e-6)
    assert means.steps == 4
    for player in ("discriminator", "generator"):
        assert logs[f"loss/{player}/historical_average"] > 0


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("optim.simultaneous=true", "is of the weights and needs alternating updates; take optim.simultaneous=false"),
        ("lookahead=unrolled", "is of D's weights, which lookahead replaces by others; leave out one"),
    ],
)
def test_updates_at_other_weights_are_refused(configure, option, message):
    with pytest.raises(UserError, match=rf"^auxiliary\.historical_average {message}\.$"):
        build(configure("auxiliary=historical_average", option))
