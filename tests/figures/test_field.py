"""The heat map and the arrows for a D that is known in closed form."""

import torch

from gan.figures.drawing import MARGIN, SIDE, draw_arrows, paint
from gan.figures.field import RESOLUTION, see_field
from gan.losses.adversarial import NonSaturating
from gan.losses.relativistic import Relativistic
from gan.losses.wasserstein import Wasserstein
from gan.networks.base import Discriminator

REAL = torch.tensor([[-1.0, -1.0], [1.0, 1.0]])[:, :, None, None]


class Slope(Discriminator):
    """Logit 2 x + y."""

    def score(self, images):
        return images.flatten(1) @ torch.tensor([2.0, 1.0])


class Method:
    device = torch.device("cpu")

    def __init__(self, loss):
        self.discriminator, self.loss = Slope(), loss


def test_heat_map_is_d_over_the_window_with_y_upwards():
    heat, _ = see_field(Method(NonSaturating()), REAL, REAL)
    edge = (1 - 1 / RESOLUTION) * (0.5 + MARGIN) * 2
    for row, column, x, y in ((0, 0, -edge, edge), (0, -1, edge, edge), (-1, 0, -edge, -edge)):
        assert torch.allclose(heat[row, column], torch.tensor(2 * x + y).sigmoid(), atol=1e-5)


def test_arrows_follow_the_negative_gradient_of_gs_loss():
    samples = torch.tensor([[0.3, -0.2], [0.0, 0.5], [2.0, 2.0]])
    _, arrows = see_field(Method(NonSaturating()), REAL, samples[:, :, None, None])
    logits = 2 * samples[:, 0] + samples[:, 1]
    expected = (1 - logits.sigmoid())[:, None] * torch.tensor([2.0, 1.0]) / 3  # -d/dx of softplus(-t), a mean of three
    assert torch.allclose(arrows, expected, atol=1e-6)


def test_pairing_loss_takes_more_samples_than_real_points():
    samples = torch.tensor([[0.3, -0.2], [0.0, 0.5], [2.0, 2.0]])
    _, arrows = see_field(Method(Relativistic(NonSaturating())), REAL, samples[:, :, None, None])
    difference = 2 * samples[:, 0] + samples[:, 1] - torch.tensor([-3.0, 3.0, -3.0])
    expected = (1 - difference.sigmoid())[:, None] * torch.tensor([2.0, 1.0]) / 3
    assert torch.allclose(arrows, expected, atol=1e-6)


def test_critic_scores_are_shown_relative_to_their_median():
    heat, arrows = see_field(Method(Wasserstein()), REAL, REAL)
    assert 0.49 < heat.median() < 0.51
    assert torch.allclose(arrows, torch.tensor([2.0, 1.0]).expand(2, 2) / 2)


def test_see_field_without_a_discriminator_returns_none():
    assert see_field(object(), REAL, REAL) == (None, None)


def test_colors_run_from_red_over_white_to_blue():
    picture = paint(torch.tensor([[0.0, 0.5, 1.0]]).expand(3, 3))
    red, white, blue = (picture[:, 200, column] for column in (10, 200, 390))
    assert red[0] == 1
    assert red[2] < 0.5
    assert white.min() > 0.98
    assert blue[2] == 1
    assert blue[0] < 0.5


def test_longest_arrow_is_a_tenth_of_the_window():
    picture = draw_arrows(torch.ones(3, SIDE, SIDE), torch.zeros(1, 2), torch.tensor([[3.0, 0.0]]), torch.zeros(2), 1.0)
    columns = (picture[0] < 0.5).any(0).nonzero().flatten()
    assert abs(int(columns[0]) - SIDE // 2) <= 1
    assert abs(int(columns[-1]) - (SIDE // 2 + SIDE // 10)) <= 2
