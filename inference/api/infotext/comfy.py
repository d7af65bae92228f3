"""Read ComfyUI's graph of nodes: from the sampler back to what it was fed with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from inference.api.infotext.readers import GenerationInfo, clamp_fields, read_json

COMFYUI_NAME = "ComfyUI"
MAX_NODES = 2_000
MAX_LINK_DEPTH = 64  # links that are followed from one node to the next

Node = Mapping[str, Any]

#: Inputs under which nodes of text keep it.
TEXT_INPUTS = ("text", "text_g", "text_l", "string", "value", "prompt", "positive", "wildcard_text")
#: Nodes that make a latent out of nothing.
EMPTY_LATENT_NODES = ("EmptyLatentImage", "EmptySD3LatentImage")
LATENT_UPSCALE_NODES = ("LatentUpscale", "LatentUpscaleBy")
#: Nodes that are read, or of which nothing needs to be said.
KNOWN_NODES = frozenset(
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
        *EMPTY_LATENT_NODES,
        *LATENT_UPSCALE_NODES,
    }
)


def read_comfy_graph(texts: Mapping[str, str]) -> GenerationInfo | None:
    """Read the graph that was run; None where there is none with a sampler in it."""
    prompt_graph = read_json(texts.get("prompt"))
    if not isinstance(prompt_graph, Mapping) or len(prompt_graph) > MAX_NODES:
        return None
    nodes = {
        str(name): node
        for name, node in prompt_graph.items()
        if isinstance(node, Mapping) and isinstance(node.get("inputs"), Mapping)
    }
    graph = NodeGraph(nodes)
    passes = graph.sampler_passes()
    return _build_info(graph, passes) if passes else None


class NodeGraph:
    """The nodes of a graph by name; links are followed a bounded way."""

    def __init__(self, nodes: Mapping[str, Node]) -> None:
        self.nodes = nodes

    def linked_node(self, node: Node, name: str) -> Node | None:
        """Give the node that an input is linked to."""
        link = node["inputs"].get(name)
        return self.nodes.get(str(link[0])) if isinstance(link, list) and link else None

    def input_value(self, node: Node, *names: str) -> Any:
        """Give the plain value of the first of several inputs, a link to a value followed."""
        for name in names:
            value = node["inputs"].get(name)
            for _ in range(MAX_LINK_DEPTH):
                if not isinstance(value, list):
                    break
                source_node = self.nodes.get(str(value[0])) if value else None
                value = None if source_node is None else _first_value(source_node)
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

    def sampler_passes(self) -> list[Node]:
        """List the samplers of the last picture, the first pass first."""
        samplers = [node for node in self.nodes.values() if is_sampler(node)]
        feeding_ids = {
            id(earlier_sampler)
            for node in samplers
            for earlier_sampler in self._earlier_samplers(node)
        }
        last = [node for node in samplers if id(node) not in feeding_ids]
        if not last:
            return samplers[:1]
        return [*reversed(list(self._earlier_samplers(last[-1]))), last[-1]]

    def _earlier_samplers(self, sampler: Node) -> Iterator[Node]:
        path = self.walk_back(sampler, "latent_image", "samples", "pixels", "image")
        yield from (node for node in path if is_sampler(node) and node is not sampler)

    def prompt_text(self, node: Node | None) -> str:
        """Collect the texts that a conditioning comes from."""
        for text_node in self.walk_back(node, "conditioning", "conditioning_1", "positive"):
            input_values = [
                self.input_value(text_node, name)
                for name in TEXT_INPUTS
                if name in text_node["inputs"]
            ]
            texts = dict.fromkeys(
                str(text).strip() for text in input_values if isinstance(text, str)
            )
            if texts:
                return ", ".join(text for text in texts if text)
        return ""


def is_sampler(node: Node) -> bool:
    """Whether a node denoises: it has noise, steps and a conditioning."""
    inputs = node["inputs"]
    return (
        "positive" in inputs and "steps" in inputs and ("seed" in inputs or "noise_seed" in inputs)
    )


def node_class(node: Node) -> str:
    """Give a node's class."""
    return str(node.get("class_type", ""))[:60]


def _first_value(node: Node) -> Any:
    inputs = node["inputs"]
    for name in (*TEXT_INPUTS, "seed", "int", "float", "number"):
        if name in inputs:
            return inputs[name]
    return None


def _build_info(graph: NodeGraph, passes: list[Node]) -> GenerationInfo:
    first = passes[0]
    ways = list(graph.walk_back(graph.linked_node(first, "model"), "model"))
    loras = [node for node in ways if "lora_name" in node["inputs"]]
    start = graph.linked_node(first, "latent_image")
    values = {
        "Steps": graph.input_value(first, "steps"),
        "Sampler": graph.input_value(first, "sampler_name"),
        "Schedule type": graph.input_value(first, "scheduler"),
        "CFG scale": graph.input_value(first, "cfg"),
        "Seed": graph.input_value(first, "seed", "noise_seed"),
        "Model": next(
            filter(None, (graph.input_value(n, "ckpt_name", "unet_name") for n in ways)), None
        ),
        "Clip skip": _clip_skip(graph, first),
        "RNG": "CPU",
        **_initial_values(graph, first, start),
        **_hires_values(graph, passes),
        "Other nodes": ", ".join(
            sorted({node_class(n) for n in graph.nodes.values()} - KNOWN_NODES)[:20]
        ),
    }
    prompt = graph.prompt_text(graph.linked_node(first, "positive"))
    tags = (_lora_tag(graph, node) for node in reversed(loras))
    negative = graph.prompt_text(graph.linked_node(first, "negative"))
    return GenerationInfo(**clamp_fields(COMFYUI_NAME, " ".join([prompt, *tags]), negative, values))


def _lora_tag(graph: NodeGraph, node: Node) -> str:
    name = str(graph.input_value(node, "lora_name")).replace("\\", "/").rpartition("/")[2]
    unet = graph.input_value(node, "strength_model")
    text = graph.input_value(node, "strength_clip")
    text = 0 if text is None else text
    return f"<lora:{name.removesuffix('.safetensors')}:te={text}:unet={unet}>"


def _clip_skip(graph: NodeGraph, sampler: Node) -> int | None:
    text = graph.linked_node(sampler, "positive")
    for node in graph.walk_back(text, "clip", "conditioning"):
        layer = graph.input_value(node, "stop_at_clip_layer")
        if isinstance(layer, int) and -12 <= layer < 0:
            return -layer
    return None


def _initial_values(graph: NodeGraph, sampler: Node, start: Node | None) -> dict[str, Any]:
    """Tell the size where it begins with nothing, and the strength where with a picture."""
    for node in graph.walk_back(start, "samples", "pixels", "image"):
        if (
            node_class(node) in EMPTY_LATENT_NODES
            or {"width", "height", "batch_size"} <= node["inputs"].keys()
        ):
            width, height = graph.input_value(node, "width"), graph.input_value(node, "height")
            return {"Size": f"{width}x{height}"} if width and height else {}
        if node_class(node).startswith("LoadImage"):
            return {"Denoising strength": _denoising_strength(graph, sampler)}
    return {}


def _denoising_strength(graph: NodeGraph, sampler: Node) -> Any:
    """Give the share of the steps that run; the advanced sampler says it as a first step."""
    share = graph.input_value(sampler, "denoise")
    steps, first = graph.input_value(sampler, "steps"), graph.input_value(sampler, "start_at_step")
    if share is None and isinstance(steps, int) and isinstance(first, int) and 0 < first < steps:
        return round(1 - first / steps, 4)
    return share


def _hires_values(graph: NodeGraph, passes: list[Node]) -> dict[str, Any]:
    """Read a second pass over an enlarged latent as a hires fix."""
    if len(passes) < 2:
        return {}
    second = passes[1]
    values: dict[str, Any] = {
        "Hires steps": graph.input_value(second, "steps"),
        "Denoising strength": _denoising_strength(graph, second),
        "Hires upscaler": "Latent",
        "Hires upscale": 1,
    }
    for node in graph.walk_back(
        graph.linked_node(second, "latent_image"), "samples", "pixels", "image"
    ):
        if node_class(node) in LATENT_UPSCALE_NODES:
            values["Hires upscale"] = graph.input_value(node, "scale_by")
            width, height = graph.input_value(node, "width"), graph.input_value(node, "height")
            if width and height:
                values["Hires resize"] = f"{width}x{height}"
            break
    if len(passes) > 2:
        values["Further passes"] = len(passes) - 2
    return values
