"""The encoder of a VAE."""

import pytest
import torch

from gan.core.errors import UserError
from gan.networks.encoder import Encoder


def test_outputs_per_coordinate_of_a_code():
    assert Encoder((1, 4, 4), [8], 3, per_code=2)(torch.zeros(5, 1, 4, 4)).shape == (5, 6)
    for wrong in (0, 1.5, 1e-300):
        with pytest.raises(UserError, match="per_code must be a whole number of at least 1"):
            Encoder((1, 4, 4), [8], 3, per_code=wrong)
