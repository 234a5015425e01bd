"""The data that feature extractors are shown."""

import pytest

from gan.data.digits import Digits


@pytest.fixture(scope="session")
def digits() -> Digits:
    """All the digits; not to be changed."""
    data = Digits(batch_size=64, image_size=8, channels=1, classes=10, seed=1)
    data.setup()
    return data
