"""Values of a command line as the shell gives them: paths that Hydra's grammar would not accept or would split.

This module does not import torch.
"""

import os
import re
from collections.abc import Sequence

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Quote, QuotedString
from hydra.errors import HydraException

_OVERRIDE = re.compile(r"(\+{0,2}[\w.@/]+=)(.+)", re.DOTALL)
_OPTION = re.compile(r"(--[\w-]+=)(~.*)", re.DOTALL)
#: characters with a meaning in the values of overrides; text without them has one meaning only
_STRUCTURE = re.compile(r"[][{}(),'\"\\]")
#: keys that hold a path, by their last word
_PLACE = re.compile(r"\+*(.*[._])?(folder|dir|dirpath|path|root|run|file|filename|checkpoint|start_from)=")
_UNREADABLE = object()


def quote_values(argv: Sequence[str]) -> list[str]:
    """The command line with quotes around the values that Hydra would not take as they stand.

    These are paths that exist, such as ``ckpt_path=runs/lr=0.1,k=2/checkpoints/last.ckpt``; paths such as ``~/images``,
    whose ``~`` is replaced; and text without commas, brackets and quotes, such as ``checkpoint=epoch=0001``.
    """
    return [_quoted(word) for word in argv]


def _quoted(word: str) -> str:
    if option := _OPTION.fullmatch(word):
        return option[1] + _at_home(option[2])
    if (found := _OVERRIDE.fullmatch(word)) is None:
        return word
    key, text = found.groups()
    if text.startswith(("'~", '"~')) and text.endswith(text[0]):
        text = text[1:-1]
    if text.startswith("~"):
        return key + quote(_at_home(text))
    if text.startswith(("'", '"')) or (value := _read(word)) == text or value is None:
        return word
    exists = (_PLACE.fullmatch(key) or "/" in text) and os.path.lexists(text)
    unreadable = value is _UNREADABLE and not _STRUCTURE.search(text)
    return key + quote(text) if exists or unreadable else word


def _at_home(path: str) -> str:
    return os.path.expanduser(path)  # noqa: PTH111  (Path's raises an error for a user who does not exist)


def quote(text: str) -> str:
    """Text as a value in Hydra's grammar."""
    return QuotedString(text, Quote.single).with_quotes()


def _read(word: str) -> object:
    """The value that Hydra reads; ``_UNREADABLE`` if the override is not of its grammar."""
    try:
        return OverridesParser.create().parse_override(word).value()
    except HydraException:
        return _UNREADABLE
