"""The words of a reply to a picture → what is asked for. Pure.

    upscale [to | by] [2x | x2]             enlarge
    describe | caption | what is this       describe in a sentence;  tags: in tags
    outpaint [left | right | up | down [128]]… | zoom out [1.5x | 2x] | make square | to 16:9
    inpaint [SHAPE :] WORDS                 repaint a part; the mask attached, or a shape in words
    loop [4] WORDS                          repaint again and again
    again                                   the same with a new seed
    help                                    what can be said
    [make it | turn it into | …] WORDS      repaint all of it

Settings stand anywhere as `strength 0.5`, `steps: 30`, `guidance=7`, `seed 5`, `--batch 2`; a
sentence that means such a word itself is rare enough. What looks like a setting but is no number
stays a part of the words.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

MAX_WORDS = 4000  # characters read; Discord's messages are shorter

AGAIN, HELP, MASK = "again", "help", "preview"
OUTPAINT_STEP = 128  # pixels where a direction has no number

_SETTING = re.compile(
    r"(?:^|\s)(?:--)?(?P<name>strength|steps|guidance|cfg|seed|batch)\s?[:= ]\s?"
    r"(?P<value>\d{1,10}(?:[.,]\d{1,4})?)(?=[\s,;.]|$)",
    re.IGNORECASE,
)
_WHOLE = frozenset({"steps", "seed", "batch"})
_NAMES = {"cfg": "guidance"}

_UPSCALE = re.compile(r"(?:upscale|enlarge)\b(?P<rest>.*)", re.IGNORECASE)
_FACTOR = re.compile(
    r"\s*(?:it\b)?\s*(?:to|by)?\s*(?:x|×)?\s*(\d+(?:[.,]\d+)?)?\s*(?:x|×)?\W*", re.I
)
_DESCRIBE = re.compile(
    r"(?:describe|caption|interrogate|what\s+is\s+(?:this|it)|what's\s+this)(?:\s+(?:it|this))?\W*",
    re.IGNORECASE,
)
_TAGS = re.compile(r"(?:tags?|tag\s+(?:it|this))\W*", re.IGNORECASE)
_OUTPAINT = re.compile(r"(?:outpaint|extend|expand)\b(?P<rest>.*)", re.IGNORECASE | re.DOTALL)
_PRESET = re.compile(
    r"(?P<zoom>zoom\s+out(?:\s+(?P<by>1\.5|2)\s*x?)?)|(?P<square>(?:make\s+(?:it\s+)?)?square)"
    r"|(?P<pan>pan\s+(?P<where>left|right|up|down))|(?:to\s+)?(?P<ratio>16:9|9:16|4:3|3:4)",
    re.IGNORECASE,
)
_SIDE = re.compile(
    r"\b(left|right|up|down|top|bottom)\b(?:\s+(?:by\s+)?(\d{1,4})\s*(?:px)?)?", re.I
)
_SIDES = {"top": "up", "bottom": "down"}
_INPAINT = re.compile(r"(?:inpaint|fill(?:\s+in)?)\b\s*(?P<rest>.*)", re.IGNORECASE | re.DOTALL)
_SHAPE = re.compile(
    r"\s*(?:[-+]\s*)?(?:left|right|top|bottom|upper|lower|circle|ellipse|rect|rectangle|all|[a-e][1-5])"
    r"\b[^:]*",
    re.IGNORECASE,
)
_LOOP = re.compile(
    r"(?:loopback|loop)\b\s*(?:(?P<loops>\d{1,3})\s*(?:x|times)?\b)?(?P<rest>.*)", re.I | re.DOTALL
)
_AGAIN = re.compile(r"(?:again|re-?roll|once\s+more)\W*", re.IGNORECASE)
_HELP = re.compile(r"(?:help|\?)?\W*", re.IGNORECASE)
_REPAINT = re.compile(
    r"(?:please\s+)?(?:make\s+(?:it|this|that)|turn\s+(?:it|this|that)\s+into|(?:re)?paint\s+it\s+as"
    r"|redraw\s+it\s+as|edit|img2img)\b[\s:]*(?P<rest>.+)",
    re.IGNORECASE | re.DOTALL,
)


@dataclass(frozen=True)
class Wish:
    """What a reply asks for."""

    #: A kind of job, `again` or `help`.
    kind: str
    #: Options of the job, unchecked: the job itself refuses what cannot be.
    values: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    #: Whether the words name what they want; words without a verb may be talk between people.
    explicit: bool = True


def read(text: str) -> Wish:
    """Read the words of a reply, the mention of the bot already taken out; never fails."""
    words, settings = _settings(" ".join(text[:MAX_WORDS].split()))
    for pattern, wish in _VERBS:
        if match := pattern.fullmatch(words):
            found = wish(match)
            if found is not None:
                return Wish(found.kind, {**found.values, **_fitting(found.kind, settings)})
    return Wish("img2img", {"prompt": words, **settings}, explicit=False)


def with_file(wish: Wish, words: str) -> Wish:
    """Read what is meant where a reply to a picture brings a file of its own.

    The file says where: it is a mask, or a copy of the picture that was scribbled on. So repainting
    is inpainting, and a file without words asks what it marks.
    """
    if wish.kind == "img2img":
        return Wish("inpaint", wish.values)
    if wish.kind == HELP and not words.strip():
        return Wish(MASK)
    return wish


def _settings(words: str) -> tuple[str, dict[str, Any]]:
    """Take the settings out of the words."""
    values: dict[str, Any] = {}
    for match in _SETTING.finditer(words):
        name = match["name"].lower()
        number = match["value"].replace(",", ".")
        if name not in _WHOLE or "." not in number:
            values[_NAMES.get(name, name)] = int(number) if name in _WHOLE else float(number)
    kept = _SETTING.sub(lambda m: m[0] if _is_broken(m) else "", words)
    return kept.strip(" ,;"), values


def _is_broken(match: re.Match[str]) -> bool:
    return match["name"].lower() in _WHOLE and not match["value"].isdigit()


def _fitting(kind: str, settings: Mapping[str, Any]) -> Mapping[str, Any]:
    return settings if kind in ("img2img", "inpaint", "outpaint", "loopback") else {}


def _upscale(match: re.Match[str]) -> Wish | None:
    factor = _FACTOR.fullmatch(match["rest"])
    if factor is None:
        return None
    number = factor[1]
    return Wish("upscale", {"factor": float(number.replace(",", "."))} if number else {})


def _outpaint(match: re.Match[str]) -> Wish | None:
    rest = match["rest"]
    if preset := _PRESET.search(rest):
        words = rest[: preset.start()] + rest[preset.end() :]
        return Wish("outpaint", {"preset": _preset(preset), "prompt": _prompt(words)})
    values: dict[str, Any] = {}
    for side in _SIDE.finditer(rest):
        name = _SIDES.get(side[1].lower(), side[1].lower())
        values[name] = int(side[2]) if side[2] else OUTPAINT_STEP
    values = values or dict.fromkeys(("left", "right", "up", "down"), OUTPAINT_STEP)
    return Wish("outpaint", {**values, "prompt": _prompt(_SIDE.sub("", rest))})


def _preset_alone(match: re.Match[str]) -> Wish:
    return Wish("outpaint", {"preset": _preset(match)})


def _preset(match: re.Match[str]) -> str:
    if match["zoom"]:
        return f"zoom out {match['by'] or '1.5'}x"
    if match["pan"]:
        return f"pan {match['where'].lower()}"
    return "make square" if match["square"] else f"to {match['ratio']}"


def _prompt(words: str) -> str:
    return " ".join(re.sub(r"^\W*(?:and|with|to|px|the)?\s*:?\s*", "", words.strip()).split())


def _inpaint(match: re.Match[str]) -> Wish:
    shape, colon, prompt = match["rest"].partition(":")
    if colon and _SHAPE.fullmatch(shape):
        return Wish("inpaint", {"mask_shape": shape.strip(), "prompt": prompt.strip()})
    return Wish("inpaint", {"prompt": match["rest"].strip()})


def _loop(match: re.Match[str]) -> Wish:
    loops = {"loops": int(match["loops"])} if match["loops"] else {}
    return Wish("loopback", {**loops, "prompt": match["rest"].strip(" :,")})


_VERBS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], Wish | None]], ...] = (
    (_HELP, lambda match: Wish(HELP)),
    (_AGAIN, lambda match: Wish(AGAIN)),
    (_UPSCALE, _upscale),
    (_DESCRIBE, lambda match: Wish("interrogate", {"method": "caption"})),
    (_TAGS, lambda match: Wish("interrogate", {"method": "tags"})),
    (_PRESET, _preset_alone),
    (_OUTPAINT, _outpaint),
    (_INPAINT, _inpaint),
    (_LOOP, _loop),
    (_REPAINT, lambda match: Wish("img2img", {"prompt": match["rest"].strip()})),
)
