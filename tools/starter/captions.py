"""Names, style words and background colours: what the starter models' captions are made of."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

STYLE_OF_SET = {
    "noto": "noto",
    "noto-v1": "blob",
    "fluent-emoji": "fluent",
    "fluent-emoji-flat": "flat",
    "twemoji": "twemoji",
    "fxemoji": "firefox",
}
"""The style word of each icon set that is trained on."""

HELD_BACK_SET = "emojione"
"""The icon set that no model is trained on; it measures what carries over to a new hand."""

STYLES = tuple(STYLE_OF_SET.values())

COLOURS = {
    "white": (255, 255, 255),
    "black": (20, 20, 20),
    "red": (220, 50, 47),
    "green": (60, 170, 80),
    "blue": (60, 110, 220),
    "yellow": (250, 220, 80),
    "pink": (245, 170, 200),
    "orange": (245, 150, 60),
    "purple": (140, 90, 200),
    "gray": (150, 150, 150),
}
"""Background colours by name, sRGB 0 to 255."""

HELD_BACK_EVERY = 40
MINIMUM_STYLES = 4
MAXIMUM_WORDS = 4

DROP_STYLE = 0.15
LEAVE_WHITE_UNSAID = 0.7
SPEAK_FREELY = 0.15
USE_COMMAS = 0.1

# People, letters and signs ask for detail that 128 pixels and this many parameters do not hold.
UNDRAWN = frozenset(Path(__file__).with_name("undrawn.txt").read_text().split())
UNDRAWN_PHRASES = ("o clock", "clock face", "mountain cableway")

_SKIN = re.compile(r"skin|-(light|medium|dark)(-(light|medium|dark))*(-skin-tone)?$")


def name_of_icon(icon: str) -> str | None:
    """Return the caption name of an icon set's key, or None for a skin-tone variant or a flag."""
    if _SKIN.search(icon) or icon.startswith("flag-"):
        return None
    return icon.replace("-", " ")


def is_drawable(name: str) -> bool:
    """Tell whether a name is short, without digits, and no person, letter or sign."""
    words = name.split()
    return (
        len(words) <= MAXIMUM_WORDS
        and not any(character.isdigit() for character in name)
        and UNDRAWN.isdisjoint(words)
        and not any(phrase in name for phrase in UNDRAWN_PHRASES)
    )


def concepts(names: Sequence[str], styles: Sequence[str]) -> list[str]:
    """Return, sorted, the drawable names that stand in at least MINIMUM_STYLES trained styles.

    names and styles are parallel: one entry a picture.
    """
    styles_of: dict[str, set[str]] = {}
    for name, style in zip(names, styles, strict=True):
        if style in STYLES:
            styles_of.setdefault(name, set()).add(style)
    return sorted(n for n, s in styles_of.items() if len(s) >= MINIMUM_STYLES and is_drawable(n))


def held_back(names: Iterable[str]) -> frozenset[str]:
    """Return every 40th of the distinct names in sorted order: never trained on, in any style."""
    return frozenset(sorted(set(names))[::HELD_BACK_EVERY])


def caption(name: str, style: str | None = None, colour: str | None = None) -> str:
    """Return the caption of a picture: name, then style, then background, each part optional."""
    parts = [name]
    if style is not None:
        parts.append(f"{style} style")
    if colour is not None:
        parts.append(f"on {colour} background")
    return " ".join(parts)


def spoken(choice: np.random.Generator, name: str, style: str | None, colour: str | None) -> str:
    """Return one of the ways in which people would type the caption.

    Drops the style now and then, names a white background only sometimes (it is the ground that
    pictures have unasked), adds an article or the word emoji, and separates the parts by commas.
    """
    if choice.random() < DROP_STYLE:
        style = None
    if colour == "white" and choice.random() < LEAVE_WHITE_UNSAID:
        colour = None
    words = name
    if choice.random() < SPEAK_FREELY:
        article = "an" if name[0] in "aeiou" else "a"
        words = (f"{article} {name}", f"{name} emoji", f"the {name}")[choice.integers(3)]
    text = caption(words, style, colour)
    if choice.random() < USE_COMMAS:
        text = text.replace(f"{words} ", f"{words}, ", 1).replace("style on", "style, on")
    return text
