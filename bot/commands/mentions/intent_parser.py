"""The words of a reply to a picture → what is asked for. Pure.

    upscale [to | by] [2x | x2]             enlarge
    redraw [2x] [: WORDS]                   enlarge and paint the detail anew
    describe | caption | what is this       describe in a sentence;  tags: in tags
    outpaint [left | right | up | down [128]]… | zoom out [1.5x | 2x] | make square | to 16:9
    inpaint [SHAPE :] WORDS                 repaint a part; the mask attached, or a shape in words
    loop [4] WORDS                          repaint again and again
    again                                   the same with a new seed
    help                                    what can be said
    remove | add | replace THING [with …]   an order, answered with what can be done
    [make it | turn it into | …] WORDS      repaint all of it

Orders, “make it …” and “edit …” go to a model that edits by instructions, where there is one.

Settings stand anywhere as `strength 0.5`, `steps: 30`, `guidance=7`, `seed 5`, `--batch 2`; a
sentence that means such a word itself is rare enough. What looks like a setting but is no number
stays a part of the words.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

MAX_REPLY_CHARACTERS = 4000  # characters read; Discord's messages are shorter

AGAIN_KIND, HELP_KIND, MASK_KIND = "again", "help", "preview"
ORDER_KIND = "order"
OUTPAINT_STEP_PIXELS = 128  # pixels where one of several directions has no number
ALL_SIDES_PRESET = "zoom out 1.5x"
"""What grows by a quarter of the picture on each side."""

_SETTING_PATTERN = re.compile(
    r"(?:^|\s)(?:--)?(?P<name>strength|steps|image[_ ]guidance|guidance|cfg|seed|batch)\s?[:= ]\s?"
    r"(?P<value>\d{1,20}(?:[.,]\d{1,4})?)(?=[\s,;.]|$)",
    re.IGNORECASE,
)
_INTEGER_SETTINGS = frozenset({"steps", "seed", "batch"})
_REDRAW_SETTINGS = frozenset({"strength", "steps", "guidance", "seed"})
_SETTING_ALIASES = {"cfg": "guidance"}

_UPSCALE_PATTERN = re.compile(r"(?:upscale|enlarge)\b(?P<rest>.*)", re.IGNORECASE)
_FACTOR_PATTERN = re.compile(
    r"\s*(?:it\b)?\s*(?:to|by)?\s*(?:x|×)?\s*(\d+(?:[.,]\d+)?)?\s*(?:x|×)?\W*", re.I
)
_REDRAW_PATTERN = re.compile(r"redraw\b(?P<rest>[^:]*)(?::(?P<words>.*))?", re.IGNORECASE)
_DESCRIBE_PATTERN = re.compile(
    r"(?:describe|caption|interrogate|what\s+is\s+(?:this|it)|what's\s+this)(?:\s+(?:it|this))?\W*",
    re.IGNORECASE,
)
_TAGS_PATTERN = re.compile(r"(?:tags?|tag\s+(?:it|this))\W*", re.IGNORECASE)
_OUTPAINT_PATTERN = re.compile(
    r"(?:outpaint|extend|expand)\b(?P<rest>.*)", re.IGNORECASE | re.DOTALL
)
_PRESET_PATTERN = re.compile(
    r"(?P<zoom>zoom\s+out(?:\s+(?P<by>1\.5|2)\s*x?)?)|(?P<square>(?:make\s+(?:it\s+)?)?square)"
    r"|(?P<pan>pan\s+(?P<where>left|right|up|down))|(?:to\s+)?(?P<ratio>16:9|9:16|4:3|3:4)",
    re.IGNORECASE,
)
_EDGE_PATTERN = re.compile(
    r"\b(left|right|up|down|top|bottom)\b(?:\s+(?:by\s+)?(\d{1,4})\s*(?:px)?)?", re.I
)
_EDGE_ALIASES = {"top": "up", "bottom": "down"}
_INPAINT_PATTERN = re.compile(
    r"(?:inpaint|fill(?:\s+in)?)\b\s*(?P<rest>.*)", re.IGNORECASE | re.DOTALL
)
_SHAPE_PATTERN = re.compile(
    r"\s*(?:[-+]\s*)?(?:left|right|top|bottom|upper|lower|circle|ellipse|rect|rectangle|all|[a-e][1-5])"
    r"\b[^:]*",
    re.IGNORECASE,
)
_LOOP_PATTERN = re.compile(
    r"(?:loopback|loop)\b\s*(?:(?P<loops>\d{1,3})\s*(?:x|times)?\b)?(?P<rest>.*)", re.I | re.DOTALL
)
_AGAIN_PATTERN = re.compile(r"(?:again|re-?roll|once\s+more)\W*", re.IGNORECASE)
_ORDER_PATTERN = re.compile(
    r"(?:please\s+)?(?:can\s+you\s+)?(?:(?:replace|swap|change)\s+(?P<old>.+?)\s+"
    r"(?:with|by|for|to|into)\s+(?P<new>.+)|(?:remove|erase|delete|get\s+rid\s+of|"
    r"take\s+(?:away|out)|add|put)\s+(?P<thing>.+))",
    re.IGNORECASE | re.DOTALL,
)
_ARTICLE_PATTERN = re.compile(r"^(?:the|a|an|that|this|these|those|his|her|its)\s+", re.I)
_HELP_PATTERN = re.compile(r"(?:help|\?)?\W*", re.IGNORECASE)
_REPAINT_PATTERN = re.compile(
    r"(?:please\s+)?(?:make\s+(?:it|this|that)|turn\s+(?:it|this|that)\s+into|(?:re)?paint\s+it\s+as"
    r"|redraw\s+it\s+as|edit|img2img)\b[\s:]*(?P<rest>.+)",
    re.IGNORECASE | re.DOTALL,
)


_MAKE_PATTERN = re.compile(r"(?:please\s+)?(?:make|turn)\b", re.IGNORECASE)
_EDIT_PATTERN = re.compile(r"(?:please\s+)?edit\b", re.IGNORECASE)


@dataclass(frozen=True)
class ReplyIntent:
    """What a reply asks for."""

    #: A kind of job, `again`, `order` or `help`.
    kind: str
    #: Options of the job, unchecked: the job itself refuses what cannot be.
    values: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    #: Whether the words name what they want; words without a verb may be talk between people.
    is_explicit: bool = True
    #: What to do to the picture, as it was said, where that is an order; empty for words of what
    #: it shows.
    instruction: str = ""


def parse_intent(text: str) -> ReplyIntent:
    """Read the words of a reply, the mention of the bot already taken out; never fails."""
    words, settings = _extract_settings(" ".join(text[:MAX_REPLY_CHARACTERS].split()))
    for pattern, parse_match in _VERB_PARSERS:
        if match := pattern.fullmatch(words):
            intent = parse_match(match)
            if intent is not None:
                values = {**intent.values, **_settings_for_intent(intent, settings)}
                return replace(intent, values=values)
    return ReplyIntent("img2img", {"prompt": words, **settings}, is_explicit=False)


def intent_with_file(intent: ReplyIntent, words: str) -> ReplyIntent:
    """Read what is meant where a reply to a picture brings a file of its own.

    The file says where: it is a mask, or a copy of the picture that was scribbled on. So repainting
    is inpainting, and a file without words asks what it marks.
    """
    if intent.kind == "img2img":
        return replace(intent, kind="inpaint")
    if intent.kind == HELP_KIND and not words.strip():
        return ReplyIntent(MASK_KIND)
    return intent


def _extract_settings(words: str) -> tuple[str, dict[str, Any]]:
    """Take the settings out of the words."""
    values: dict[str, Any] = {}
    for match in _SETTING_PATTERN.finditer(words):
        name = match["name"].lower().replace(" ", "_")
        number = match["value"].replace(",", ".")
        if name not in _INTEGER_SETTINGS or "." not in number:
            values[_SETTING_ALIASES.get(name, name)] = (
                int(number) if name in _INTEGER_SETTINGS else float(number)
            )
    remaining_text = _SETTING_PATTERN.sub(lambda m: m[0] if _is_malformed_setting(m) else "", words)
    return remaining_text.strip(" ,;"), values


def _is_malformed_setting(match: re.Match[str]) -> bool:
    return match["name"].lower() in _INTEGER_SETTINGS and not match["value"].isdigit()


def _settings_for_intent(intent: ReplyIntent, settings: Mapping[str, Any]) -> Mapping[str, Any]:
    kind = intent.kind
    if is_redraw(intent):
        return {name: value for name, value in settings.items() if name in _REDRAW_SETTINGS}
    if kind not in ("img2img", "inpaint", "outpaint", "loopback"):
        return {}
    return {
        name: value
        for name, value in settings.items()
        if kind == "img2img" or name != "image_guidance"
    }


def _parse_upscale(match: re.Match[str]) -> ReplyIntent | None:
    factor = _FACTOR_PATTERN.fullmatch(match["rest"])
    if factor is None:
        return None
    number = factor[1]
    return ReplyIntent("upscale", {"factor": float(number.replace(",", "."))} if number else {})


def _parse_redraw(match: re.Match[str]) -> ReplyIntent | None:
    """Read an enlargement that paints anew; what comes before the colon names a size or nothing."""
    intent = _parse_upscale(match)
    words = {"prompt": match["words"].strip()} if match["words"] else {}
    return intent and replace(intent, values={**intent.values, **words, "mode": "redraw"})


def is_redraw(intent: ReplyIntent) -> bool:
    """Whether it asks for an enlargement that follows words."""
    return intent.values.get("mode") == "redraw"


def _parse_outpaint(match: re.Match[str]) -> ReplyIntent | None:
    tail_text = match["rest"]
    if preset := _PRESET_PATTERN.search(tail_text):
        words = tail_text[: preset.start()] + tail_text[preset.end() :]
        return ReplyIntent(
            "outpaint", {"preset": _preset_name(preset), "prompt": _clean_prompt(words)}
        )
    values: dict[str, Any] = {}
    for edge in _EDGE_PATTERN.finditer(tail_text):
        name = _EDGE_ALIASES.get(edge[1].lower(), edge[1].lower())
        values[name] = int(edge[2]) if edge[2] else OUTPAINT_STEP_PIXELS
    if not values:
        values = {"preset": ALL_SIDES_PRESET}
    elif len(values) == 1 and not any(edge[2] for edge in _EDGE_PATTERN.finditer(tail_text)):
        values = {"preset": f"pan {next(iter(values))}"}
    return ReplyIntent(
        "outpaint", {**values, "prompt": _clean_prompt(_EDGE_PATTERN.sub("", tail_text))}
    )


def _parse_preset(match: re.Match[str]) -> ReplyIntent:
    return ReplyIntent("outpaint", {"preset": _preset_name(match)})


def _preset_name(match: re.Match[str]) -> str:
    if match["zoom"]:
        return f"zoom out {match['by'] or '1.5'}x"
    if match["pan"]:
        return f"pan {match['where'].lower()}"
    return "make square" if match["square"] else f"to {match['ratio']}"


def _clean_prompt(words: str) -> str:
    return " ".join(re.sub(r"^\W*(?:and|with|to|px|the)?\s*:?\s*", "", words.strip()).split())


def _parse_inpaint(match: re.Match[str]) -> ReplyIntent:
    shape, colon, prompt = match["rest"].partition(":")
    if colon and _SHAPE_PATTERN.fullmatch(shape):
        return ReplyIntent("inpaint", {"mask_shape": shape.strip(), "prompt": prompt.strip()})
    return ReplyIntent("inpaint", {"prompt": match["rest"].strip()})


def _parse_order(match: re.Match[str]) -> ReplyIntent:
    """Read an order, which words of a picture are not: what it is about, and what instead."""
    thing = _ARTICLE_PATTERN.sub("", (match["old"] or match["thing"]).strip(" .!?"))
    values = {"thing": thing, "instead": (match["new"] or "").strip(" .!?")}
    return ReplyIntent(ORDER_KIND, values, is_explicit=False, instruction=match[0].strip())


def _parse_repaint(match: re.Match[str]) -> ReplyIntent:
    """Read what it shall show; “make it …” and “turn it into …” are orders as well."""
    prompt = match["rest"].strip()
    instruction = match[0].strip() if _MAKE_PATTERN.match(match[0]) else ""
    if _EDIT_PATTERN.match(match[0]):
        instruction = prompt
    return ReplyIntent("img2img", {"prompt": prompt}, instruction=instruction)


def _parse_loopback(match: re.Match[str]) -> ReplyIntent:
    loops = {"loops": int(match["loops"])} if match["loops"] else {}
    return ReplyIntent("loopback", {**loops, "prompt": match["rest"].strip(" :,")})


_VERB_PARSERS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], ReplyIntent | None]], ...] = (
    (_HELP_PATTERN, lambda match: ReplyIntent(HELP_KIND)),
    (_AGAIN_PATTERN, lambda match: ReplyIntent(AGAIN_KIND)),
    (_UPSCALE_PATTERN, _parse_upscale),
    (_REDRAW_PATTERN, _parse_redraw),
    (_DESCRIBE_PATTERN, lambda match: ReplyIntent("interrogate", {"method": "caption"})),
    (_TAGS_PATTERN, lambda match: ReplyIntent("interrogate", {"method": "tags"})),
    (_PRESET_PATTERN, _parse_preset),
    (_OUTPAINT_PATTERN, _parse_outpaint),
    (_INPAINT_PATTERN, _parse_inpaint),
    (_LOOP_PATTERN, _parse_loopback),
    (_ORDER_PATTERN, _parse_order),
    (_REPAINT_PATTERN, _parse_repaint),
)
