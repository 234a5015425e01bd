"""The animation shows the run's sample grids in order, thinned out, and holds the last one."""

import numpy as np
import pytest
from PIL import Image

from gan.core.errors import UserError
from gan.figures import Progress
from gan.figures.progress import thinned
from tests.figures.reading import frames


def test_frames_are_the_sample_grids_of_the_run(digits, tmp_path):
    (path,) = Progress("raw", seconds=0.1, hold=1.5)(digits, tmp_path)
    pictures = sorted((digits.folder / "samples").glob("step=*_raw.png"))
    shown, times = frames(path)
    assert len(pictures) == 6  # batches 0, 5, 10, 15, 20 and the last, 21
    assert times == [100] * 6 + [1500]
    # The last grid comes first, for viewers that show only one frame.
    for frame, picture in zip(shown, [pictures[-1], *pictures], strict=True):
        original = np.asarray(Image.open(picture).convert("RGB")).astype(int)
        assert np.abs(frame - original).max() <= 2  # 256 colors per frame are enough for the grays


def test_frames_of_a_long_run_are_thinned_out(digits, tmp_path):
    shown, _ = frames(Progress("ema", frames=3)(digits, tmp_path)[0])
    assert len(shown) == 1 + 3
    assert thinned(list(range(11)), 3) == [0, 5, 10]
    assert thinned(list(range(1000)), 7)[::6] == [0, 999]
    assert thinned([1, 2, 3], 1) == [3]
    assert thinned([1, 2, 3], 5) == [1, 2, 3]


def test_run_without_sample_grids_is_reported(numbers, tmp_path):
    with pytest.raises(UserError, match=r"figures.progress: .* has no sample grids samples/step=…_ema.png"):
        Progress()(numbers, tmp_path)
