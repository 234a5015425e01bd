"""Building a run: a chosen part that the method would ignore is refused."""

import re

import pytest

from gan.core.errors import UserError
from gan.runs.build import build, load_weights
from tests.test_conf import BARE


@pytest.mark.parametrize(
    ("words", "key"),
    [
        (["method=vae", "history=replay"], "history"),
        (["method=vae", "lookahead=unrolled"], "lookahead"),
        (["method=vae", "penalty=[r1,r2]"], "penalty.r1"),
        (["method=gmmn", "auxiliary=historical_average"], "auxiliary.historical_average"),
        (["method=gmmn", "view=packed"], "view.packed"),
        (["experiment=autoencoder", "constraint=weight_clipping"], "constraint.discriminator"),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(value),
)
def test_parts_of_a_discriminator_are_refused_without_one(configure, words, key):
    with pytest.raises(UserError, match=rf"^{key}: \w+ has no use for it; take {key.partition('.')[0]}=none\.$"):
        build(configure(*words, *BARE))


@pytest.mark.parametrize(
    "words",
    [
        ["method=vae"],
        ["penalty=r1", "view=packed", "history=replay", "lookahead=unrolled", "constraint=weight_clipping"],
        ["method=vae", "+history.capacity=4"],  # a setting that a preset left behind
    ],
    ids=" ".join,
)
def test_parts_that_the_method_takes_are_built(configure, words):
    assert build(configure(*words, *BARE)).module is not None


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["history=replay"], "is of a run with other choices of history; leave them as they were."),
        (["auxiliary=historical_average"], "is of a run with other choices of penalty or auxiliary; leave them"),
        (["model=maxout", "history=replay"], "holds another network than model and data describe (Missing key(s)"),
        (["ema.decay=0"], "holds another network than model and data describe (Unexpected key(s)"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_weights_of_another_run_are_refused_and_the_group_named(configure, words, message):
    saved = {"state_dict": build(configure(*BARE)).module.state_dict(), "iteration": 0}
    with pytest.raises(UserError, match=rf"^ckpt_path=FILE {re.escape(message)}") as caught:
        load_weights(build(configure(*words, *BARE)).module, saved, "ckpt_path=FILE")
    assert len(str(caught.value)) < 450
