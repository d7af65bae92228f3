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
from collections.abc import Callable, Mapping
from itertools import count
from types import MappingProxyType

from PIL import Image

from inference.pictures.errors import UnreadableMask
from inference.pictures.figures import Ellipse, Length, Rectangle, Shape, Side, Thing
from inference.pictures.regions import Size

#: Rows and columns of the lettered grid.
CELLS = 5
LETTERS = "ABCDE"

_SIGN = re.compile(r"\s*[+,;]\s*|\s+-\s*|-\s+")
_LENGTH = re.compile(r"r?(\d+(?:\.\d+)?)\s*(%|px)")
_CELL = re.compile(r"([a-z])(\d+)(?:-([a-z])(\d+))?")
_QUOTED = re.compile(r"[\"“”„«»]\s*([^\"“”„«»]+?)\s*[\"“”„«»]")
_HELD = re.compile(r"\x00(\d+)\x00")
"""What stands for quoted words while signs are looked for."""
SUBJECT, FACE = "subject", "face"
_SIDES = MappingProxyType(
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


def draw(
    text: str, size: Size, found: Mapping[str, Image.Image] = MappingProxyType({})
) -> Image.Image:
    """Draw the mask that words describe, for a picture of a size; `L`, 0 or 255.

    `found` holds the mask of each of the words' `things`.

    Raises:
        UnreadableMask: the words cannot be read, or mark no pixel; says what to write.
    """
    terms = parse(text)
    mask = Image.new("L", size, 0 if terms[0][0] else 255)
    for adds, shape in terms:
        grey = 255 if adds else 0
        if isinstance(shape, Thing):
            mask.paste(grey, mask=shape.cover(found))
        else:
            shape.paint(mask, grey)
    if mask.getbbox() is None:
        raise UnreadableMask(
            f"“{text.strip()}” marks no pixel of a picture of {size[0]} × {size[1]}: mark more."
        )
    return mask


def things(text: str) -> tuple[str, ...]:
    """List what must be found in the picture before the words can be drawn, each once.

    Raises:
        UnreadableMask: the words cannot be read.
    """
    return tuple(dict.fromkeys(one.name for _, one in parse(text) if isinstance(one, Thing)))


def parse(text: str) -> list[tuple[bool, Shape | Thing]]:
    """Read words into shapes in their order, each with whether it adds (else it subtracts).

    Raises:
        UnreadableMask: the words cannot be read; says which and what to write.
    """
    quoted = [match[1].lower() for match in _QUOTED.finditer(text)]
    numbers = count()
    held = _QUOTED.sub(lambda _: f"\x00{next(numbers)}\x00", text.replace("\x00", " "))
    words = " ".join(held.lower().split())
    if not words:
        raise UnreadableMask("The mask has no words. Write for example: left 30%.")
    terms: list[tuple[bool, Shape | Thing]] = []
    sign, begin = "+", 0
    if first := re.match(r"[-+]\s*", words):
        sign, begin = first[0].strip(), first.end()
    for match in _SIGN.finditer(words, begin):
        terms.append((sign != "-", _term(words[begin : match.start()], quoted)))
        sign, begin = match[0].strip(), match.end()
    terms.append((sign != "-", _term(words[begin:], quoted)))
    return terms


def _term(words: str, quoted: list[str]) -> Shape | Thing:
    """Read one term; quoted words, which were taken out, are found by their number."""
    if match := _HELD.fullmatch(words):
        return Thing(" ".join(quoted[int(match[1])].split()))
    return _THINGS.get(words) or _shape(_HELD.sub(lambda match: quoted[int(match[1])], words))


def _shape(words: str) -> Shape:
    """Read one shape."""
    name, _, rest = words.partition(" ")
    if name in _SIDES:
        return Side(_SIDES[name], *_lengths(words, rest, 1, f"{name} 30%"))
    if name in _READERS:
        return _READERS[name](words, rest)
    if match := _CELL.fullmatch(words.replace(" ", "")):
        return _cells(words, match)
    raise UnreadableMask(
        f"There is no shape “{words}”. Write for example: left 30%, circle 50% 40% r20%, "
        "B2-D4, subject, background, face or all; name other things in quotation marks."
    )


def _circle(words: str, rest: str) -> Shape:
    x, y, radius = _lengths(words, rest, 3, "circle 50% 40% r20%")
    return Ellipse(x, y, radius)


def _ellipse(words: str, rest: str) -> Shape:
    return Ellipse(*_lengths(words, rest, 4, "ellipse 50% 40% 30% 20%"))


def _rectangle(words: str, rest: str) -> Shape:
    left, top, right, bottom = _lengths(words, rest, 4, "rect 10% 10% 60% 50%")
    for near, far in ((left, right), (top, bottom)):
        if near.percent == far.percent and near.value >= far.value:
            raise UnreadableMask(
                f"“{words}” ends before it begins: write left, top, right, bottom, "
                "as in rect 10% 10% 60% 50%."
            )
    return Rectangle(left, top, right, bottom)


def _all(words: str, rest: str) -> Shape:
    if rest:
        raise UnreadableMask(f"“{words}”: all stands alone; put + or - after it.")
    none, whole = Length(0, True), Length(100, True)
    return Rectangle(none, none, whole, whole)


_THINGS = MappingProxyType(
    {
        "subject": Thing(SUBJECT),
        "background": Thing(SUBJECT, inverted=True),
        "face": Thing(FACE),
        "faces": Thing(FACE),
    }
)
_READERS: Mapping[str, Callable[[str, str], Shape]] = MappingProxyType(
    {
        "circle": _circle,
        "ellipse": _ellipse,
        "rect": _rectangle,
        "rectangle": _rectangle,
        "all": _all,
    }
)


def _cells(words: str, match: re.Match[str]) -> Rectangle:
    """Read a cell, or two opposite corners of a block of them in any order."""
    letter, digit, other_letter, other_digit = match.groups()
    columns = sorted(_column(words, one) for one in (letter, other_letter or letter))
    rows = sorted(_row(words, one) for one in (digit, other_digit or digit))
    share = 100 / CELLS
    return Rectangle(
        Length(columns[0] * share, True),
        Length(rows[0] * share, True),
        Length((columns[1] + 1) * share, True),
        Length((rows[1] + 1) * share, True),
    )


def _column(words: str, letter: str) -> int:
    column = LETTERS.find(letter.upper())
    if column < 0:
        raise UnreadableMask(
            f"“{words}”: the grid has the columns {LETTERS[0]} to {LETTERS[-1]}, as in B2-D4."
        )
    return column


def _row(words: str, digits: str) -> int:
    if not 1 <= int(digits) <= CELLS:
        raise UnreadableMask(f"“{words}”: the grid has the rows 1 to {CELLS}, as in B2-D4.")
    return int(digits) - 1


def _lengths(words: str, rest: str, count: int, example: str) -> list[Length]:
    """Read exactly so many lengths."""
    parts = rest.replace(" %", "%").replace(" px", "px").replace("r ", "r").split()
    if len(parts) != count:
        number = "one length" if count == 1 else f"{count} lengths"
        raise UnreadableMask(f"“{words}” needs {number}. Write for example: {example}.")
    return [_length(words, part, example) for part in parts]


def _length(words: str, part: str, example: str) -> Length:
    match = _LENGTH.fullmatch(part)
    if match is None:
        raise UnreadableMask(
            f"“{words}”: {part} is no length. Use % or px. Write for example: {example}."
        )
    value, percent = float(match[1]), match[2] == "%"
    if percent and value > 100:
        raise UnreadableMask(f"“{words}”: {part} is more than the whole picture.")
    return Length(value, percent)
