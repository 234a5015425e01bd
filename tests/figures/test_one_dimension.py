"""Figure 1 of the paper: the densities, D and the mapping, in the paper's colors."""

import pytest
import torch

from gan.core.errors import UserError
from gan.figures import OneDimension
from gan.figures.one_dimension import draw, mapping
from gan.figures.snapshot1d import snapshot
from tests.figures.reading import frames


def lines_of(plot):
    return {line.get_label(): line for line in plot.axes[0].get_lines()}


def test_curves_are_those_of_the_snapshot(numbers):
    now = snapshot(numbers.module, numbers.load_data(), numbers.sampler.generator("raw"))
    drawn = lines_of(draw(now, arrows=5))
    for label, values, colour, style in (
        ("$p_{data}$", now.p_data, "k", ":"),
        ("$p_g$", now.p_g, "green", "-"),
        ("$D$", now.d, "blue", "--"),
    ):
        line = drawn[label]
        assert torch.equal(torch.as_tensor(line.get_ydata()), values)
        assert (line.get_color(), line.get_linestyle()) == (colour, style)
    best = torch.as_tensor(drawn["$D^*$"].get_ydata())
    assert torch.allclose(best * (now.p_data + now.p_g), now.p_data)
    arrows = draw(now, arrows=5).axes[1].texts
    assert len(arrows) == 5


def test_arrows_map_quantiles_of_the_prior_to_samples(numbers):
    now = snapshot(numbers.module, numbers.load_data(), numbers.sampler.generator("raw"))
    z, x = mapping(now, 4)
    expected = torch.special.ndtri(torch.tensor([0.125, 0.375, 0.625, 0.875], dtype=torch.float64))
    assert torch.allclose(z, expected, atol=1e-5)
    assert torch.allclose(x.float(), numbers.sampler.sample("raw", z.float()[:, None]).flatten(), atol=1e-5)


def test_saved_snapshots_become_an_animation(numbers, tmp_path):
    still, film, single = OneDimension(frames=2, hold=1.0)(numbers, tmp_path)
    assert (still.name, film.name) == ("one_dimension_raw.png", "one_dimension.gif")
    shown, times = frames(film)
    assert times == [120, 1000]
    assert (shown[0] != shown[1]).any()
    kept = sorted(path.stem for path in (numbers.folder / "snapshots").glob("*.npz"))
    assert sorted(path.name for path in single.iterdir()) == [f"{name}.png" for name in (kept[0], kept[-1])]


def test_images_are_refused(digits, tmp_path):
    with pytest.raises(UserError, match=r"needs data=gaussian and latent.dim=1"):
        OneDimension()(digits, tmp_path)
