"""Tensors and plots to image files: grids, points in the plane, matplotlib figures, animations."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from gan.core.errors import UserError
from gan.core.files import naming
from gan.data.base import Source

if TYPE_CHECKING:  # a late import saves half a second in --help and in runs without plots
    from matplotlib.figure import Figure as Plot
    from PIL.Image import Image

SMALLEST_TILE = 48  # pixels per side: enlarges small images such as 8×8 digits
SIDE = 400  # pixels per side of an image of the plane
MARGIN = 0.15  # on each side, relative to the real points' extent
INK = 0.35  # opacity of one dot
CAPTION = 18  # height of a caption in pixels
FRAME = (1.0, 0.8, 0.0)  # the yellow of the paper's Figure 2
REAL, DRAWN = (0.55, 0.60, 0.65), (0.85, 0.20, 0.10)  # gray below, red above


def check_channels(channels: int) -> None:
    """Raises UserError unless images with this number of channels can be shown, in gray or in color."""
    if channels not in (1, 3):
        raise UserError(
            f"data.channels={channels}: images need 1 or 3 channels; for points of the plane take "
            "callbacks=plane and figures=plane."
        )


def grid(images: Tensor, columns: int) -> Tensor:
    """Images (N, C, H, W) in [0, 1], in rows of ``columns``, as one image (3, H', W').

    Small images are enlarged by an integer factor, without interpolation. Raises UserError unless C is 1 or 3.
    """
    from torchvision.utils import make_grid

    check_channels(images.shape[1])
    factor = -(-SMALLEST_TILE // images.shape[-1])  # rounded up
    enlarged = images.repeat_interleave(factor, dim=2).repeat_interleave(factor, dim=3)
    return make_grid(enlarged, nrow=columns, padding=2, pad_value=0.5)


def add_caption(picture: Tensor, text: str) -> Tensor:
    """An image (3, H, W) with a line of text below it, (3, H + 18, W); a text that is too long is truncated."""
    import numpy as np
    from PIL import Image, ImageDraw, ImageFont

    strip = Image.new("RGB", (picture.shape[2], CAPTION), "white")
    font = ImageFont.load_default(size=12)
    while text and font.getlength(text) > strip.width - 6:
        text = text[:-2].rstrip(" ·…") + "…" if len(text) > 2 else ""
    ImageDraw.Draw(strip).text((3, 2), text, fill="black", font=font)
    below = torch.from_numpy(np.array(strip)).permute(2, 0, 1).float() / 255
    return torch.cat([picture, below.to(picture)], dim=1)


def frame_column(picture: Tensor, column: int, columns: int, padding: int = 2) -> Tensor:
    """A copy of a grid (3, H, W) of square tiles whose padding around one column is yellow."""
    picture = picture.clone()
    step = (picture.shape[2] - padding) // columns  # a square tile and its padding
    left = step * column
    strip = picture[:, :, left : left + step + padding]
    rows, columns_ = (torch.arange(length) % step < padding for length in strip.shape[1:])
    strip[:, rows[:, None] | columns_] = torch.tensor(FRAME)[:, None]
    return picture


def check_points(data: Source) -> None:
    """Raises UserError unless the data are points in the plane."""
    if (data.channels, data.image_size) != (2, 1):
        raise UserError(
            "a plot of the plane needs points (data=ring, data=grid); for images take callbacks=default and "
            "figures=grid."
        )


def window(real: Tensor) -> tuple[Tensor, float]:
    """The plotted square around real points (N, 2, 1, 1): its center (2,) and half of its side."""
    points = real.flatten(1)
    low, high = points.amin(0), points.amax(0)
    return (low + high) / 2, (0.5 + MARGIN) * float((high - low).max())


def plane(real: Tensor, samples: Tensor, heat: Tensor | None = None, arrows: Tensor | None = None) -> Tensor:
    """Real points in gray with samples in red over them, an image (3, 400, 400) in [0, 1].

    The window is a square around the real points, independent of the samples; samples outside it are not shown. The
    first coordinate points right, the second up.

    Args:
        real: (N, 2, 1, 1).
        samples: (M, 2, 1, 1).
        heat: D's probability on a grid over the window, (R, R), first row at the top; None for a white background.
        arrows: direction of motion of the first K samples, (K, 2); None for no arrows.
    """
    middle, half = window(real)
    picture = torch.ones(3, SIDE, SIDE) if heat is None else paint(heat)
    for some, color in ((real.flatten(1), REAL), (samples.flatten(1), DRAWN)):
        share = ink(some, middle, half)
        picture = (1 - share) * picture + share * torch.tensor(color).view(3, 1, 1)
    return picture if arrows is None else draw_arrows(picture, samples.flatten(1)[: len(arrows)], arrows, middle, half)


def paint(heat: Tensor) -> Tensor:
    """Values (R, R) in [0, 1], first row at the top, as a pale image (3, 400, 400): red at 0, white at ½, blue at 1."""
    fine = F.interpolate(heat.float()[None, None], (SIDE, SIDE), mode="bilinear", align_corners=False)[0]
    pale = 0.55 * (2 * fine - 1)  # (1, 400, 400)
    return torch.cat([1 - pale.clamp(min=0), 1 - pale.abs(), 1 + pale.clamp(max=0)])


def draw_arrows(picture: Tensor, starts: Tensor, arrows: Tensor, middle: Tensor, half: float) -> Tensor:
    """Draws lines from points (N, 2) along vectors (N, 2) on an image (3, 400, 400); the longest is 1/10 of it."""
    import numpy as np
    from PIL import Image, ImageDraw

    longest = arrows.norm(dim=1).max().clamp(min=1e-12)
    tips = starts + arrows / longest * 0.2 * half
    image = Image.fromarray((picture.permute(1, 2, 0) * 255).byte().numpy())
    pen = ImageDraw.Draw(image)
    flip = torch.tensor([1.0, -1.0])
    for a, b in zip(*(((1 + (p - middle) / half * flip) / 2 * SIDE).tolist() for p in (starts, tips)), strict=True):
        pen.line([*a, *b], fill="black", width=1)
        pen.ellipse([b[0] - 1, b[1] - 1, b[0] + 1, b[1] + 1], fill="black")  # the tip
    return torch.from_numpy(np.array(image)).permute(2, 0, 1).float() / 255


def ink(points: Tensor, middle: Tensor, half: float) -> Tensor:
    """The opacity of each pixel when points (N, 2) are drawn as dots of 3×3 pixels, (SIDE, SIDE) in [0, 1).

    Args:
        points: those outside the window, or not finite, are not drawn.
        middle: center of the window, (2,).
        half: half of the window's side.
    """
    place = (points - middle) / half  # the window is [-1, 1)²
    place = place[(place.abs() < 1).all(1)]  # false for NaN
    column, row = ((1 + place * torch.tensor([1, -1])) / 2 * SIDE).long().clamp(0, SIDE - 1).unbind(1)
    counts = torch.bincount(row * SIDE + column, minlength=SIDE**2).view(1, SIDE, SIDE).float()
    dots = F.avg_pool2d(counts, 3, 1, 1, divisor_override=1)[0]  # number of overlapping dots
    return 1 - (1 - INK) ** dots


def save_picture(picture: Tensor, path: Path) -> Path:
    """Writes an image (3, H, W) in [0, 1] as PNG."""
    from torchvision.utils import save_image

    path.parent.mkdir(parents=True, exist_ok=True)
    with naming(path):
        save_image(picture, path)
    return path


def save_animation(frames: "Sequence[Image]", path: Path, seconds: float, hold: float) -> Path:
    """Writes frames of one size as a GIF that loops endlessly.

    Args:
        frames: the images in order, at least one.
        path: the file.
        seconds: duration of a frame.
        hold: duration of the last frame in seconds.
    """
    from PIL.Image import Dither

    path.parent.mkdir(parents=True, exist_ok=True)
    # Each frame has its own palette: 256 colors include every gray. Optimizing would merge equal frames.
    first, *others = [frame.convert("RGB").quantize(256, dither=Dither.NONE) for frame in frames]
    durations = [round(1000 * seconds)] * len(others) + [round(1000 * hold)]
    with naming(path):
        first.save(path, save_all=True, append_images=others, duration=durations, loop=0, optimize=False)
    return path


def save_frames(frames: "Sequence[Image]", folder: Path, names: Sequence[str]) -> Path:
    """Writes each frame as ``NAME.png`` in the folder; returns the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for frame, name in zip(frames, names, strict=True):
        with naming(folder / f"{name}.png"):
            frame.save(folder / f"{name}.png")
    return folder


def new_plot(width: float, height: float) -> "Plot":
    """An empty matplotlib figure, width and height in inches, independent of matplotlib's global state."""
    from matplotlib.figure import Figure as Plot

    return Plot(figsize=(width, height), layout="constrained")


def save_plot(plot: "Plot", path: Path) -> Path:
    """Writes a matplotlib figure as PNG."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with naming(path):
        plot.savefig(path, dpi=110)
    return path


def plot_to_image(plot: "Plot") -> "Image":
    """A matplotlib figure as an RGB image, for a frame of an animation."""
    import numpy as np
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from PIL import Image

    canvas = FigureCanvasAgg(plot)
    canvas.draw()
    return Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3].copy())
