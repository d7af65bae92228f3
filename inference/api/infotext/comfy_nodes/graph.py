"""ComfyUI's graph: nodes, links between them, and the values and LoRAs that stand in a node."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, Self

MAX_NODES = 2_000
MAX_LINK_DEPTH = 64  # links that are followed from one node to the next
MAX_LORAS_OF_NODE = 50

Node = Mapping[str, Any]

#: Inputs under which nodes keep one plain value.
VALUE_INPUTS = ("value", "seed", "int", "float", "number", "Number", "noise_seed", "string", "text")
CHECKPOINT_INPUTS = ("ckpt_name", "unet_name", "base_ckpt_name")
#: Inputs of a LoRA's weight on the network and on the text encoder, `{}` being its number.
NETWORK_WEIGHT_INPUTS = (
    "strength_model{}",
    "lora_model_strength{}",
    "model_strength{}",
    "model_str{}",
    "model_weight{}",
    "strength{}",
    "lora_wt{}",
)
TEXT_WEIGHT_INPUTS = (
    "strength_clip{}",
    "lora_clip_strength{}",
    "clip_strength{}",
    "clip_str{}",
    "clip_weight{}",
)
LORA_NAME_INPUTS = ("lora_name{}", "lora{}")


class Link(NamedTuple):
    """A node and which of its outputs is meant."""

    node: Node
    output: int


class NodeGraph:
    """The nodes of a graph by name; links are followed a bounded way."""

    def __init__(self, nodes: Mapping[str, Node]) -> None:
        self.nodes = nodes

    @classmethod
    def from_json(cls, graph: Mapping[Any, Any]) -> Self:
        """Take what is a node with inputs; anything else is left aside."""
        return cls(
            {
                str(name): node
                for name, node in graph.items()
                if isinstance(node, Mapping) and isinstance(node.get("inputs"), Mapping)
            }
        )

    def link(self, node: Node, name: str) -> Link | None:
        """Give what an input is linked to, nodes that only hand on being passed through."""
        value = node["inputs"].get(name)
        for _ in range(MAX_LINK_DEPTH):
            if not isinstance(value, list) or not value:
                return None
            linked_node = self.nodes.get(str(value[0]))
            if linked_node is None:
                return None
            handed_on = _handed_on(linked_node)
            if handed_on is None:
                output = value[1] if len(value) > 1 and isinstance(value[1], int) else 0
                return Link(linked_node, output)
            value = handed_on
        return None

    def linked_node(self, node: Node, name: str) -> Node | None:
        """Give the node that an input is linked to."""
        link = self.link(node, name)
        return None if link is None else link.node

    def input_value(self, node: Node, *names: str) -> Any:
        """Give the plain value of the first of several inputs, a link to a value followed."""
        for name in names:
            value = node["inputs"].get(name)
            for _ in range(MAX_LINK_DEPTH):
                if not isinstance(value, list):
                    break
                source_node = self.nodes.get(str(value[0])) if value else None
                value = None if source_node is None else _single_value(source_node)
            if isinstance(value, str | int | float) and not isinstance(value, bool):
                return value
        return None

    def walk_back(self, node: Node | None, *names: str) -> Iterator[Node]:
        """Walk back along the first input of these names that is linked."""
        for _ in range(MAX_LINK_DEPTH):
            if node is None:
                return
            yield node
            node = next(filter(None, (self.linked_node(node, name) for name in names)), None)

    def checkpoint_name(self, node: Node) -> str | None:
        """Give the checkpoint that a node loads."""
        names = (_file_name(node["inputs"].get(name)) for name in CHECKPOINT_INPUTS)
        return next(filter(None, names), None)

    def lora_tags(self, node: Node) -> list[str]:
        """Write the LoRAs that a node adds as a prompt's tags, those of its stack first."""
        stack = self.linked_node(node, "lora_stack")
        tags = [
            tag
            for stacked_node in reversed(list(self.walk_back(stack, "lora_stack")))
            for tag in self._own_lora_tags(stacked_node)
        ]
        return [*tags, *self._own_lora_tags(node)]

    def _own_lora_tags(self, node: Node) -> Iterator[str]:
        inputs = node["inputs"]
        count = inputs.get("lora_count", MAX_LORAS_OF_NODE)
        numbers = range(1, min(count if isinstance(count, int) else 0, MAX_LORAS_OF_NODE) + 1)
        for suffix in ("", *(form for n in numbers for form in (f"_{n}", f"_0{n}"))):
            entry = next(
                (
                    inputs[form.format(suffix)]
                    for form in LORA_NAME_INPUTS
                    if form.format(suffix) in inputs
                ),
                None,
            )
            if isinstance(entry, Mapping) and "lora" in entry:
                if entry.get("on") is not False:
                    unet = _as_weight(entry.get("strength"), 1)
                    yield _lora_tag(str(entry["lora"]), unet, entry.get("strengthTwo"), unet)
                continue
            name = _file_name(entry)
            if not name or inputs.get(f"switch{suffix}") == "Off":
                continue
            unet = self._first_weight(node, NETWORK_WEIGHT_INPUTS, suffix)
            text = self._first_weight(node, TEXT_WEIGHT_INPUTS, suffix)
            only_network = "clip" not in inputs and not suffix and text is None
            yield _lora_tag(name, _as_weight(unet, 1), text, 0 if only_network else unet)

    def _first_weight(self, node: Node, forms: tuple[str, ...], suffix: str) -> Any:
        return self.input_value(node, *(form.format(suffix) for form in forms))


def node_class(node: Node) -> str:
    """Give a node's class."""
    return str(node.get("class_type", ""))[:60]


def _handed_on(node: Node) -> list[Any] | None:
    """Give the link that a node does nothing but hand on; None for a node that does something."""
    inputs = node["inputs"]
    if not node_class(node).startswith("Reroute") or len(inputs) != 1:
        return None
    (value,) = inputs.values()
    return value if isinstance(value, list) else None


def _single_value(node: Node) -> Any:
    inputs = node["inputs"]
    return next((inputs[name] for name in VALUE_INPUTS if name in inputs), None)


def _file_name(value: object) -> str | None:
    """Give a file's name, which some nodes keep in an object with a preview; None for none."""
    if isinstance(value, Mapping):
        value = value.get("content")
    return value if isinstance(value, str) and value not in ("", "None") else None


def _as_weight(value: object, default: float) -> float:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else default


def _lora_tag(name: str, unet: float, text: object, default_text: Any) -> str:
    stem = name.replace("\\", "/").rpartition("/")[2].removesuffix(".safetensors")
    return f"<lora:{stem}:te={_as_weight(text, _as_weight(default_text, 1))}:unet={unet}>"
