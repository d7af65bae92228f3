"""Read ComfyUI's graph of nodes: from the sampler back to what it was fed with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from inference.infotext.told import Told, bounded, read_json

TOOL = "ComfyUI"
MAX_NODES = 2_000
DEPTH = 64  # links that are followed from one node to the next

Node = Mapping[str, Any]

#: Inputs under which nodes of text keep it.
TEXTS = ("text", "text_g", "text_l", "string", "value", "prompt", "positive", "wildcard_text")
#: Nodes that make a latent out of nothing.
EMPTY = ("EmptyLatentImage", "EmptySD3LatentImage")
ENLARGING = ("LatentUpscale", "LatentUpscaleBy")
#: Nodes that are read, or of which nothing needs to be said.
KNOWN = frozenset(
    {
        "KSampler",
        "KSamplerAdvanced",
        "CLIPTextEncode",
        "CLIPTextEncodeSDXL",
        "CLIPSetLastLayer",
        "LoraLoader",
        "LoraLoaderModelOnly",
        "CheckpointLoaderSimple",
        "CheckpointLoader",
        "VAELoader",
        "VAEDecode",
        "VAEDecodeTiled",
        "VAEEncode",
        "LoadImage",
        "SaveImage",
        "PreviewImage",
        "Note",
        "Reroute",
        "PrimitiveNode",
        *EMPTY,
        *ENLARGING,
    }
)


def read(texts: Mapping[str, str]) -> Told | None:
    """Read the graph that was run; None where there is none with a sampler in it."""
    found = read_json(texts.get("prompt"))
    if not isinstance(found, Mapping) or len(found) > MAX_NODES:
        return None
    nodes = {
        str(name): node
        for name, node in found.items()
        if isinstance(node, Mapping) and isinstance(node.get("inputs"), Mapping)
    }
    graph = Graph(nodes)
    passes = graph.passes()
    return _told(graph, passes) if passes else None


class Graph:
    """The nodes of a graph by name; links are followed a bounded way."""

    def __init__(self, nodes: Mapping[str, Node]) -> None:
        self.nodes = nodes

    def linked(self, node: Node, name: str) -> Node | None:
        """Give the node that an input is linked to."""
        link = node["inputs"].get(name)
        return self.nodes.get(str(link[0])) if isinstance(link, list) and link else None

    def value(self, node: Node, *names: str) -> Any:
        """Give the plain value of the first of several inputs, a link to a value followed."""
        for name in names:
            found = node["inputs"].get(name)
            for _ in range(DEPTH):
                if not isinstance(found, list):
                    break
                other = self.nodes.get(str(found[0])) if found else None
                found = None if other is None else _first_value(other)
            if isinstance(found, str | int | float) and not isinstance(found, bool):
                return found
        return None

    def back(self, node: Node | None, *names: str) -> Iterator[Node]:
        """Walk back along the first input of these names that is linked."""
        for _ in range(DEPTH):
            if node is None:
                return
            yield node
            node = next(filter(None, (self.linked(node, name) for name in names)), None)

    def passes(self) -> list[Node]:
        """List the samplers of the last picture, the first pass first."""
        samplers = [node for node in self.nodes.values() if is_sampler(node)]
        fed = {id(one) for node in samplers for one in self._before(node)}
        last = [node for node in samplers if id(node) not in fed]
        if not last:
            return samplers[:1]
        return [*reversed(list(self._before(last[-1]))), last[-1]]

    def _before(self, sampler: Node) -> Iterator[Node]:
        way = self.back(sampler, "latent_image", "samples", "pixels", "image")
        yield from (node for node in way if is_sampler(node) and node is not sampler)

    def words(self, node: Node | None) -> str:
        """Collect the texts that a conditioning comes from."""
        for one in self.back(node, "conditioning", "conditioning_1", "positive"):
            found = [self.value(one, name) for name in TEXTS if name in one["inputs"]]
            texts = dict.fromkeys(str(text).strip() for text in found if isinstance(text, str))
            if texts:
                return ", ".join(text for text in texts if text)
        return ""


def is_sampler(node: Node) -> bool:
    """Whether a node denoises: it has noise, steps and a conditioning."""
    inputs = node["inputs"]
    return (
        "positive" in inputs and "steps" in inputs and ("seed" in inputs or "noise_seed" in inputs)
    )


def kind(node: Node) -> str:
    """Give a node's class."""
    return str(node.get("class_type", ""))[:60]


def _first_value(node: Node) -> Any:
    inputs = node["inputs"]
    for name in (*TEXTS, "seed", "int", "float", "number"):
        if name in inputs:
            return inputs[name]
    return None


def _told(graph: Graph, passes: list[Node]) -> Told:
    first = passes[0]
    ways = list(graph.back(graph.linked(first, "model"), "model"))
    loras = [node for node in ways if "lora_name" in node["inputs"]]
    start = graph.linked(first, "latent_image")
    values = {
        "Steps": graph.value(first, "steps"),
        "Sampler": graph.value(first, "sampler_name"),
        "Schedule type": graph.value(first, "scheduler"),
        "CFG scale": graph.value(first, "cfg"),
        "Seed": graph.value(first, "seed", "noise_seed"),
        "Model": next(filter(None, (graph.value(n, "ckpt_name", "unet_name") for n in ways)), None),
        "Clip skip": _clip_skip(graph, first),
        "RNG": "CPU",
        **_start(graph, first, start),
        **_hires(graph, passes),
        "Other nodes": ", ".join(sorted({kind(n) for n in graph.nodes.values()} - KNOWN)[:20]),
    }
    prompt = graph.words(graph.linked(first, "positive"))
    tags = (_tag(graph, node) for node in reversed(loras))
    negative = graph.words(graph.linked(first, "negative"))
    return Told(**bounded(TOOL, " ".join([prompt, *tags]), negative, values))


def _tag(graph: Graph, node: Node) -> str:
    name = str(graph.value(node, "lora_name")).replace("\\", "/").rpartition("/")[2]
    unet = graph.value(node, "strength_model")
    text = graph.value(node, "strength_clip")
    text = 0 if text is None else text
    return f"<lora:{name.removesuffix('.safetensors')}:te={text}:unet={unet}>"


def _clip_skip(graph: Graph, sampler: Node) -> int | None:
    text = graph.linked(sampler, "positive")
    for node in graph.back(text, "clip", "conditioning"):
        layer = graph.value(node, "stop_at_clip_layer")
        if isinstance(layer, int) and -12 <= layer < 0:
            return -layer
    return None


def _start(graph: Graph, sampler: Node, start: Node | None) -> dict[str, Any]:
    """Tell the size where it begins with nothing, and the strength where with a picture."""
    for node in graph.back(start, "samples", "pixels", "image"):
        if kind(node) in EMPTY or {"width", "height", "batch_size"} <= node["inputs"].keys():
            width, height = graph.value(node, "width"), graph.value(node, "height")
            return {"Size": f"{width}x{height}"} if width and height else {}
        if kind(node).startswith("LoadImage"):
            return {"Denoising strength": _denoise(graph, sampler)}
    return {}


def _denoise(graph: Graph, sampler: Node) -> Any:
    """Give the share of the steps that run; the advanced sampler says it as a first step."""
    share = graph.value(sampler, "denoise")
    steps, first = graph.value(sampler, "steps"), graph.value(sampler, "start_at_step")
    if share is None and isinstance(steps, int) and isinstance(first, int) and 0 < first < steps:
        return round(1 - first / steps, 4)
    return share


def _hires(graph: Graph, passes: list[Node]) -> dict[str, Any]:
    """Read a second pass over an enlarged latent as a hires fix."""
    if len(passes) < 2:
        return {}
    second = passes[1]
    values: dict[str, Any] = {
        "Hires steps": graph.value(second, "steps"),
        "Denoising strength": _denoise(graph, second),
        "Hires upscaler": "Latent",
        "Hires upscale": 1,
    }
    for node in graph.back(graph.linked(second, "latent_image"), "samples", "pixels", "image"):
        if kind(node) in ENLARGING:
            values["Hires upscale"] = graph.value(node, "scale_by")
            width, height = graph.value(node, "width"), graph.value(node, "height")
            if width and height:
                values["Hires resize"] = f"{width}x{height}"
            break
    if len(passes) > 2:
        values["Further passes"] = len(passes) - 2
    return values
