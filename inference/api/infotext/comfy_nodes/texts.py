"""The prompts of ComfyUI's graph: from a sampler's conditioning back to words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from inference.api.infotext.comfy_nodes.graph import (
    MAX_LINK_DEPTH,
    Link,
    Node,
    NodeGraph,
    node_class,
)

#: Inputs under which nodes of text keep it; the first that is there counts, but for pairs.
TEXT_INPUTS = (
    "populated_text",
    "text",
    "text_g",
    "text_l",
    "clip_l",
    "t5xxl",
    "string",
    "value",
    "prompt",
    "wildcard_text",
)
#: Which outputs of a node are its positive and its negative side; others have them at 0 and 1.
OUTPUT_SIDES: Mapping[str, tuple[int, int]] = {
    "Efficient Loader": (1, 2),
    "FromBasicPipe": (3, 4),
    "FromBasicPipe_v2": (4, 5),
}
#: Nodes that blank out what they are given.
BLANKING_NODES = ("ConditioningZeroOut",)
#: Nodes that join conditionings: how the prompt's own language says it, with its inputs.
COMBINING_INPUTS = ("conditioning_1", "conditioning_2")
JOINING_INPUTS = ("conditioning_to", "conditioning_from")
#: Nodes that hand a picture or an area besides: the words are those of their one conditioning.
HANDED_ON_INPUTS = ("conditioning", "conditioning_to")
#: Texts that nodes join: `string_a` and `string_b`, `text1`, `text_2` and so on.
_PART_PATTERN = re.compile(r"(?:string|text|prompt)_?(?:[a-h]|\d{1,2})", re.IGNORECASE)
#: Stands between what is combined until all of it is known.
COMBINED_MARK = "\x1f"
DELIMITER_INPUTS = ("delimiter", "separator")


def read_conditioning(
    graph: NodeGraph, sampler: Node, name: str, *, is_positive: bool
) -> str | None:
    """Read the words that a sampler's conditioning comes from; None where the way is not known."""
    link = graph.link(sampler, name)
    if link is None:
        return None
    text = _read_link(graph, link, is_positive, MAX_LINK_DEPTH)
    parts = [] if text is None else text.split(COMBINED_MARK)
    if len(parts) < 2:
        return text
    # What is combined there is averaged; parts of a prompt with AND are added up.
    return " AND ".join(f"{part} :{1 / len(parts):.4g}" for part in parts)


def _read_link(graph: NodeGraph, link: Link, is_positive: bool, depth: int) -> str | None:
    node, inputs = link.node, link.node["inputs"]
    if depth == 0:
        return None
    if node_class(node) in BLANKING_NODES:
        return ""
    if "positive" in inputs and "negative" in inputs:
        return _read_side(graph, link, is_positive, depth)
    for names in (COMBINING_INPUTS, JOINING_INPUTS):
        links = [graph.link(node, name) for name in names]
        if all(links):
            texts = [
                _read_link(graph, part, is_positive, depth - 1)
                for part in links
                if part is not None
            ]
            return _join_conditionings(node, texts, is_positive)
    for name in HANDED_ON_INPUTS:
        if (part := graph.link(node, name)) is not None:
            return _read_link(graph, part, is_positive, depth - 1)
    return read_text(graph, node, depth - 1)


def _read_side(graph: NodeGraph, link: Link, is_positive: bool, depth: int) -> str | None:
    """Go on along the side of a node that its output belongs to."""
    node = link.node
    sides = OUTPUT_SIDES.get(node_class(node), (0, 1))
    if link.output not in sides:
        return None
    name = "positive" if link.output == sides[0] else "negative"
    value = node["inputs"][name]
    if isinstance(value, str):
        has_known_outputs = node_class(node) in OUTPUT_SIDES
        return value.strip() if has_known_outputs else None
    part = graph.link(node, name)
    if part is None:
        return None
    conditioning = _read_link(graph, part, is_positive, depth - 1)
    return conditioning if conditioning is not None else read_text(graph, part.node, depth - 1)


def _join_conditionings(node: Node, texts: list[str | None], is_positive: bool) -> str | None:
    """Say two conditionings in the prompt's own language; only the positive side has `AND`."""
    if any(text is None for text in texts):
        return None
    words = [text for text in texts if text]
    if COMBINING_INPUTS[0] in node["inputs"] and is_positive:
        return COMBINED_MARK.join(words)
    joint = " BREAK " if node_class(node) == "ConditioningConcat" else ", "
    return joint.join(words)


def read_text(graph: NodeGraph, node: Node, depth: int) -> str | None:
    """Read a node's text, parts of it joined as the node joins them; None where it has none."""
    if depth == 0:
        return None
    inputs = node["inputs"]
    part_names = [name for name in inputs if _PART_PATTERN.fullmatch(name)]
    names = [name for name in TEXT_INPUTS if name in inputs]
    if len(part_names) > 1:
        texts = [_read_value(graph, inputs[name], depth) for name in part_names]
        delimiter = next((inputs[name] for name in DELIMITER_INPUTS if name in inputs), None)
        joint = delimiter.replace("\\n", "\n") if isinstance(delimiter, str) else ""
        known_texts = [text for text in texts if text is not None]
        if len(known_texts) < len(texts):
            return None
        return joint.join(text for text in known_texts if text)
    texts = [_read_value(graph, inputs[name], depth) for name in names[:1]]
    if {"text_g", "text_l"} <= inputs.keys() or {"clip_l", "t5xxl"} <= inputs.keys():
        texts = [_read_value(graph, inputs[name], depth) for name in names]
    if not texts or None in texts:
        return None
    return ", ".join(dict.fromkeys(text.strip() for text in texts if text and text.strip()))


def _read_value(graph: NodeGraph, value: Any, depth: int) -> str | None:
    """Read a text that stands in an input or in a node that it is linked to."""
    if isinstance(value, str):
        return value
    if not isinstance(value, list) or not value:
        return None
    source_node = graph.nodes.get(str(value[0]))
    if source_node is None:
        return None
    return read_text(graph, source_node, depth - 1)
