"""Masks in words: sides, circles, cells of a lettered grid, things found; added and subtracted.

The grammar, in which a length is `30%` or `120px` and case does not matter:

    mask   = [sign] shape { sign shape }         sign: + or , adds; - between spaces subtracts
    shape  = side length | circle x y r | ellipse x y rx ry | rect left top right bottom
           | cell [ - cell ] | all | thing
    side   = left | right | top | bottom (upper, up, lower and down are understood)
    cell   = a letter A–E for the column and a digit 1–5 for the row: B2, or B2-D4
    thing  = subject | background | face (faces is understood) | "any words in quotation marks"

Percentages are of the picture's width across and of its height down; a circle's radius is of the
shorter side. A mask that begins by subtracting begins with the whole picture. What a thing covers
is found by a network beforehand.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from types import MappingProxyType

from inference.api.errors import UnreadableMask
from inference.api.prompts.mask_words import QUOTED_WORDS_PATTERN, find_quoted_words

#: Rows and columns of the lettered grid.
GRID_CELLS = 5
COLUMN_LETTERS = "ABCDE"

_SIGN_PATTERN = re.compile(r"\s*[+,;]\s*|\s+-\s*|-\s+")
_LENGTH_PATTERN = re.compile(r"r?(\d+(?:\.\d+)?)\s*(%|px)")
_CELL_PATTERN = re.compile(r"([a-z])(\d+)(?:-([a-z])(\d+))?")
_PLACEHOLDER_PATTERN = re.compile(r"\x00(\d+)\x00")
"""What stands for quoted words while signs are looked for."""
SUBJECT, FACE = "subject", "face"
_EDGE_BY_WORD = MappingProxyType(
    {
        "left": "left",
        "right": "right",
        "top": "top",
        "upper": "top",
        "up": "top",
        "bottom": "bottom",
        "lower": "bottom",
        "down": "bottom",
    }
)


@dataclass(frozen=True)
class ShapeLength:
    """A length in per cent of a side, or in pixels."""

    value: float
    percent: bool

    def in_pixels(self, side: int) -> float:
        """Return the length in pixels where 100% is a side's."""
        return self.value * side / 100 if self.percent else self.value


@dataclass(frozen=True)
class Rectangle:
    """All pixels between two corners."""

    left: ShapeLength
    top: ShapeLength
    right: ShapeLength
    bottom: ShapeLength

    def pixel_box(self, size: tuple[int, int]) -> tuple[int, int, int, int] | None:
        """Return left, top, right and bottom in a picture of a size; None where it has no pixel."""
        width, height = size
        left, right = round(self.left.in_pixels(width)), round(self.right.in_pixels(width))
        top, bottom = round(self.top.in_pixels(height)), round(self.bottom.in_pixels(height))
        right, bottom = min(right, width), min(bottom, height)
        return (left, top, right, bottom) if left < right and top < bottom else None


@dataclass(frozen=True)
class EdgeStrip:
    """A strip along one side of the picture."""

    name: str
    length: ShapeLength

    def pixel_box(self, size: tuple[int, int]) -> tuple[int, int, int, int] | None:
        """Return left, top, right and bottom in a picture of a size; None where it has no pixel."""
        width, height = size
        strip_width = min(width, round(self.length.in_pixels(width)))
        strip_height = min(height, round(self.length.in_pixels(height)))
        left, top, right, bottom = {
            "left": (0, 0, strip_width, height),
            "right": (width - strip_width, 0, width, height),
            "top": (0, 0, width, strip_height),
            "bottom": (0, height - strip_height, width, height),
        }[self.name]
        return (left, top, right, bottom) if left < right and top < bottom else None


@dataclass(frozen=True)
class Ellipse:
    """All pixels whose centre lies within an ellipse; without a second radius, within a circle."""

    x: ShapeLength
    y: ShapeLength
    radius_x: ShapeLength
    radius_y: ShapeLength | None = None


@dataclass(frozen=True)
class SegmentedObject:
    """What is found in the picture under a name, or all but that."""

    name: str
    inverted: bool = False


MaskTerm = Rectangle | EdgeStrip | Ellipse | SegmentedObject


def marks_no_pixel(text: str, size: tuple[int, int]) -> bool:
    """Whether words certainly mark nothing of a picture of a size in pixels.

    Raises:
        UnreadableMask: the words cannot be read.
    """
    terms = parse_mask_terms(text)
    boxed_shapes = [
        shape for adds, shape in terms if adds and isinstance(shape, Rectangle | EdgeStrip)
    ]
    has_only_boxes = len(boxed_shapes) == sum(adds for adds, _ in terms)
    return (
        terms[0][0] and has_only_boxes and not any(shape.pixel_box(size) for shape in boxed_shapes)
    )


def named_objects(text: str) -> tuple[str, ...]:
    """List what must be found in the picture before the words can be drawn, each once.

    Raises:
        UnreadableMask: the words cannot be read.
    """
    return tuple(
        dict.fromkeys(
            shape.name for _, shape in parse_mask_terms(text) if isinstance(shape, SegmentedObject)
        )
    )


def parse_mask_terms(text: str) -> list[tuple[bool, MaskTerm]]:
    """Read words into shapes in their order, each with whether it adds (else it subtracts).

    Raises:
        UnreadableMask: the words cannot be read; says which and what to write.
    """
    quoted_texts = find_quoted_words(text)
    numbers = count()
    placeholder_text = QUOTED_WORDS_PATTERN.sub(
        lambda _: f"\x00{next(numbers)}\x00", text.replace("\x00", " ")
    )
    normalised_text = " ".join(placeholder_text.lower().split())
    if not normalised_text:
        raise UnreadableMask("mask.no_words")
    terms: list[tuple[bool, MaskTerm]] = []
    sign, begin = "+", 0
    if sign_match := re.match(r"[-+]\s*", normalised_text):
        sign, begin = sign_match[0].strip(), sign_match.end()
    for match in _SIGN_PATTERN.finditer(normalised_text, begin):
        terms.append(
            (sign != "-", _parse_term(normalised_text[begin : match.start()], quoted_texts))
        )
        sign, begin = match[0].strip(), match.end()
    terms.append((sign != "-", _parse_term(normalised_text[begin:], quoted_texts)))
    return terms


def _parse_term(text: str, quoted_texts: Sequence[str]) -> MaskTerm:
    """Read one term; quoted words, which were taken out, are found by their number."""
    if match := _PLACEHOLDER_PATTERN.fullmatch(text):
        return SegmentedObject(" ".join(quoted_texts[int(match[1])].split()))
    return _OBJECT_BY_WORD.get(text) or _parse_shape(
        _PLACEHOLDER_PATTERN.sub(lambda match: quoted_texts[int(match[1])], text)
    )


def _parse_shape(text: str) -> MaskTerm:
    """Read one shape."""
    name, _, arguments = text.partition(" ")
    if name in _EDGE_BY_WORD:
        return EdgeStrip(_EDGE_BY_WORD[name], *_parse_lengths(text, arguments, 1, f"{name} 30%"))
    if name in _SHAPE_PARSERS:
        return _SHAPE_PARSERS[name](text, arguments)
    if match := _CELL_PATTERN.fullmatch(text.replace(" ", "")):
        return _parse_cells(text, match)
    raise UnreadableMask("mask.unknown_shape", words=text)


def _parse_circle(text: str, arguments: str) -> MaskTerm:
    x, y, radius = _parse_lengths(text, arguments, 3, "circle 50% 40% r20%")
    return Ellipse(x, y, radius)


def _parse_ellipse(text: str, arguments: str) -> MaskTerm:
    return Ellipse(*_parse_lengths(text, arguments, 4, "ellipse 50% 40% 30% 20%"))


def _parse_rectangle(text: str, arguments: str) -> MaskTerm:
    left, top, right, bottom = _parse_lengths(text, arguments, 4, "rect 10% 10% 60% 50%")
    for near, far in ((left, right), (top, bottom)):
        if near.percent == far.percent and near.value >= far.value:
            raise UnreadableMask("mask.ends_early", words=text)
    return Rectangle(left, top, right, bottom)


def _parse_all(text: str, arguments: str) -> MaskTerm:
    if arguments:
        raise UnreadableMask("mask.all_alone", words=text)
    none, whole = ShapeLength(0, True), ShapeLength(100, True)
    return Rectangle(none, none, whole, whole)


_OBJECT_BY_WORD = MappingProxyType(
    {
        "subject": SegmentedObject(SUBJECT),
        "background": SegmentedObject(SUBJECT, inverted=True),
        "face": SegmentedObject(FACE),
        "faces": SegmentedObject(FACE),
    }
)
_SHAPE_PARSERS: Mapping[str, Callable[[str, str], MaskTerm]] = MappingProxyType(
    {
        "circle": _parse_circle,
        "ellipse": _parse_ellipse,
        "rect": _parse_rectangle,
        "rectangle": _parse_rectangle,
        "all": _parse_all,
    }
)


def _parse_cells(text: str, match: re.Match[str]) -> Rectangle:
    """Read a cell, or two opposite corners of a block of them in any order."""
    letter, digit, other_letter, other_digit = match.groups()
    columns = sorted(_column_index(text, label) for label in (letter, other_letter or letter))
    rows = sorted(_row_index(text, label) for label in (digit, other_digit or digit))
    share = 100 / GRID_CELLS
    return Rectangle(
        ShapeLength(columns[0] * share, True),
        ShapeLength(rows[0] * share, True),
        ShapeLength((columns[1] + 1) * share, True),
        ShapeLength((rows[1] + 1) * share, True),
    )


def _column_index(text: str, letter: str) -> int:
    column = COLUMN_LETTERS.find(letter.upper())
    if column < 0:
        raise UnreadableMask(
            "mask.columns", words=text, first=COLUMN_LETTERS[0], last=COLUMN_LETTERS[-1]
        )
    return column


def _row_index(text: str, digits: str) -> int:
    if not 1 <= int(digits) <= GRID_CELLS:
        raise UnreadableMask("mask.rows", words=text, last=GRID_CELLS)
    return int(digits) - 1


def _parse_lengths(text: str, arguments: str, count: int, example: str) -> list[ShapeLength]:
    """Read exactly so many lengths."""
    parts = arguments.replace(" %", "%").replace(" px", "px").replace("r ", "r").split()
    if len(parts) != count:
        if count == 1:
            raise UnreadableMask("mask.one_length", words=text, example=example)
        raise UnreadableMask("mask.lengths", words=text, count=count, example=example)
    return [_parse_length(text, part, example) for part in parts]


def _parse_length(text: str, part: str, example: str) -> ShapeLength:
    match = _LENGTH_PATTERN.fullmatch(part)
    if match is None:
        raise UnreadableMask("mask.no_length", words=text, part=part, example=example)
    value, percent = float(match[1]), match[2] == "%"
    if percent and value > 100:
        raise UnreadableMask("mask.more_than_whole", words=text, part=part)
    return ShapeLength(value, percent)
