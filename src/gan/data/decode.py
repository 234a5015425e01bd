"""Decodes one image file of any mode and orientation to pixels of a fixed size."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from gan.core.errors import UserError, one_line

#: the largest value of 16 bits
WHITE = 65535
#: part of every cache's fingerprint: increase it whenever ``decode`` returns other pixels for a file
VERSION = 1
SUFFIXES = frozenset((".png", ".jpg", ".jpeg", ".jpe", ".pgm", ".ppm", ".pbm", ".pnm", ".bmp", ".webp"))
FORMATS = ("PNG", "JPEG", "PPM", "BMP", "WEBP")  # PPM is PIL's name for all portable formats, gray ones too


class Unreadable(str):
    """An error of the operating system, such as of permissions or of a network drive: the file may be a good one."""


def attempt(path: Path, image_size: int, channels: int, *options) -> np.ndarray | str:
    """Same as ``decode``, but returns a short error message if the file cannot be decoded.

    Raises:
        UserError: the file may not be read.
    """
    try:
        if path.exists() and not path.is_file():  # opening a pipe would wait for ever
            return "it is no regular file"
        return decode(path, image_size, channels, *options)
    except MemoryError:
        raise  # not an error of the file
    except PermissionError as error:  # neither: the cache would keep it after the permissions have changed
        raise UserError(f"{path}: {error.strerror}; make it readable, or move it out of the folder.") from error
    except UnidentifiedImageError:
        return "it is empty" if path.stat().st_size == 0 else f"none of {', '.join(FORMATS)}"
    except Exception as error:  # the parser of each format has its own exceptions
        if reason := getattr(error, "strerror", None):
            return Unreadable(reason)
        return one_line(error) or type(error).__name__


def decode(
    path: Path, image_size: int, channels: int, white: int = WHITE, note: Callable[[int], object] | None = None
) -> np.ndarray:
    """The center square of an image, resized with antialiasing, as uint8 (C, image_size, image_size).

    The EXIF orientation is applied, transparent parts become white, 16-bit gray becomes 8-bit, and an animation is
    reduced to its first frame.

    Args:
        path: the file.
        image_size: height and width of the result.
        channels: 1 for gray (luma), 3 for color.
        white: the value of 16-bit gray that becomes white, as do larger ones; from 1 to 65,535.
        note: called with the largest value of a 16-bit gray image.
    """
    with Image.open(path, formats=FORMATS) as file:
        image = opaque(ImageOps.exif_transpose(file), white, note).convert({1: "L", 3: "RGB"}[channels])
    width, height = image.size
    side = min(width, height)
    left, top = (width - side) // 2, (height - side) // 2
    size = (image_size, image_size)
    image = image.resize(size, Image.Resampling.BICUBIC, box=(left, top, left + side, top + side))
    return np.asarray(image).reshape(image_size, image_size, channels).transpose(2, 0, 1)


def opaque(image: Image.Image, white: int, note: Callable[[int], object] | None = None) -> Image.Image:
    """The image with 8 bits per channel, on a white background; see :func:`decode`."""
    if image.mode == "F":
        raise ValueError("its pixels are floating-point numbers")
    if image.mode.startswith("I"):  # PIL itself would clip values above 255
        deep = np.asarray(image).astype(np.int64)
        if note is not None:
            note(int(deep.max()))
        return Image.fromarray(((deep * 255 + white // 2) // white).clip(0, 255).astype(np.uint8))
    if not image.has_transparency_data:
        return image
    image = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
