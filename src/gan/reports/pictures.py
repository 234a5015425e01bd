"""Sample grids as PNG data URIs of moderate size."""

import base64
import io
import warnings
from dataclasses import dataclass
from pathlib import Path

from gan.core.errors import UserError, one_line

LARGEST = 520  # pixels per side; a grid of 8 × 8 digits has about 400
COLORS = 256  # of a color image: a fifth of the size
MOST_PIXELS = 50_000_000  # of a file; larger ones are not decoded


@dataclass(frozen=True)
class Picture:
    """An image for a page.

    Attributes:
        uri: the PNG as ``data:`` URI.
        width: in pixels.
        height: in pixels.
    """

    uri: str
    width: int
    height: int


def embed(path: Path) -> Picture:
    """The image file as PNG of at most ``LARGEST`` pixels per side, gray if all its pixels are.

    Raises:
        UserError: the file is damaged or too large.
    """
    from PIL import Image, ImageChops

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(path, formats=["PNG"]) as file:
                if file.width * file.height > MOST_PIXELS:
                    raise ValueError(f"{file.width} × {file.height} pixels are too many")
                image = file.convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise UserError(f"{path} cannot be read ({one_line(error)}).") from error
    image.thumbnail((LARGEST, LARGEST))
    red, green, blue = image.split()
    is_gray = not (ImageChops.difference(red, green).getbbox() or ImageChops.difference(red, blue).getbbox())
    # The median cut, which is the default, loses colors of few pixels.
    image = red if is_gray else image.quantize(COLORS, Image.Quantize.MAXCOVERAGE, kmeans=3)
    data = io.BytesIO()
    image.save(data, "PNG", optimize=True)
    text = base64.b64encode(data.getvalue()).decode("ascii")
    return Picture(f"data:image/png;base64,{text}", image.width, image.height)
