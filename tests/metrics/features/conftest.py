"""The data for the tests of feature extractors."""

import pytest

from gan.data.digits import Digits


@pytest.fixture(scope="session")
def digits() -> Digits:
    """All the digits; tests must not change them."""
    data = Digits(batch_size=64, image_size=8, channels=1, classes=10, seed=1)
    data.setup()
    return data
