"""Latents by seed and number, for priors with and without labels."""

from types import SimpleNamespace

import pytest
import torch

from gan.core.batch import Output
from gan.methods import sampler
from gan.methods.sampler import Sampler
from gan.networks import conditional, latents, learned


def of(latent):
    return Sampler(SimpleNamespace(latent=latent, offers=frozenset()))


PRIORS = [latents.Gaussian(7), latents.Uniform(3), latents.Spherical(5), conditional.Labelled(9, classes=10)]
PRIORS += [latents.Truncated(4), latents.Mixture(4), learned.Learned(4, points=20)]


@pytest.mark.parametrize("prior", PRIORS, ids=lambda prior: type(prior).__name__)
def test_latent_i_and_its_label_do_not_depend_on_the_count(monkeypatch, prior):
    monkeypatch.setattr(sampler, "ROWS", 40)
    whole = of(prior).numbered_latents(100, 3)
    for count in (1, 2, 15, 16, 17, 39, 40, 41, 99):
        for part, expected in zip(of(prior).numbered_latents(count, 3), whole, strict=True):
            assert torch.equal(part, expected[:count])
    assert len(whole[0].unique(dim=0)) == 100
    assert not torch.equal(whole[0], of(prior).numbered_latents(100, 4)[0])


@pytest.mark.parametrize("prior", PRIORS, ids=lambda prior: type(prior).__name__)
def test_the_first_block_is_what_an_evaluation_scores(prior):
    for found, scored in zip(of(prior).numbered_latents(300, 1), of(prior).latents(sampler.ROWS, 1), strict=True):
        assert torch.equal(found, scored[:300])


def test_evaluations_keep_their_latents():
    """The published scores depend on them; the values are those of torch 2.12."""
    z, labels = of(conditional.Labelled(3, classes=10)).latents(5, 0)
    assert z[0].tolist() == pytest.approx([-0.5347437858581543, 0.9231956601142883, 0.2673332095146179])
    assert labels.tolist() == [1, 8, 6, 4, 1]


def test_outputs_of_d_are_those_of_its_average_beside_the_average_of_g():
    def network(value):
        made = torch.nn.Linear(1, 1)
        made.forward = lambda batch: Output(logits=torch.full((len(batch),), value))
        return made

    images = torch.zeros(3, 1, 1, 1)
    both = SimpleNamespace(discriminator=network(1.0), discriminator_ema=network(2.0), offers=frozenset())
    assert Sampler(both).describe(images).logits.tolist() == [1, 1, 1]
    assert Sampler(both).describe(images, "ema").logits.tolist() == [2, 2, 2]
    one = SimpleNamespace(discriminator=network(1.0), discriminator_ema=None, offers=frozenset())
    assert Sampler(one).describe(images, "ema").logits.tolist() == [1, 1, 1]
