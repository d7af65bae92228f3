"""Read ComfyUI's graph of nodes: from the sampler back to what it was fed with.

A link names a node and one of its outputs. Where the way of a text is not known, nothing is said of
it and the key `Not followed` names it: no prompt is better than a wrong one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from inference.api.infotext.comfy_nodes.graph import MAX_NODES, Node, NodeGraph, node_class
from inference.api.infotext.comfy_nodes.texts import read_conditioning
from inference.api.infotext.readers import GenerationInfo, clamp_fields, read_json

COMFYUI_NAME = "ComfyUI"
NOT_FOLLOWED_KEY = "Not followed"
#: Inputs by which a latent or a picture goes from node to node.
LATENT_INPUTS = ("latent_image", "samples", "latent", "pixels", "image", "images")
#: Inputs of nodes that denoise too, but only parts of a picture: they are no passes of their own.
PART_INPUTS = frozenset({"guide_size", "tile_width", "upscale_model", "bbox_detector"})
#: Nodes that make a latent out of nothing.
EMPTY_LATENT_NODES = ("EmptyLatentImage", "EmptySD3LatentImage")
LATENT_UPSCALE_NODES = ("LatentUpscale", "LatentUpscaleBy")
#: What ComfyUI calls the web UIs' latent upscaler, which is ours.
LATENT_METHOD = "bilinear"
#: Schedules of nodes that make no choice of them.
SCHEDULE_NODES: Mapping[str, str] = {
    "KarrasScheduler": "karras",
    "ExponentialScheduler": "exponential",
    "PolyexponentialScheduler": "polyexponential",
    "AlignYourStepsScheduler": "align_your_steps",
    "BetaSamplingScheduler": "beta",
    "SDTurboScheduler": "normal",
}
#: Samplers of nodes that make no choice of them.
SAMPLER_NODES: Mapping[str, str] = {
    "SamplerEulerAncestral": "euler_ancestral",
    "SamplerEulerCFGpp": "euler_cfg_pp",
    "SamplerDPMPP_2S_Ancestral": "dpmpp_2s_ancestral",
    "SamplerDPMPP_SDE": "dpmpp_sde",
    "SamplerDPMPP_2M_SDE": "dpmpp_2m_sde",
    "SamplerDPMPP_3M_SDE": "dpmpp_3m_sde",
    "SamplerDPMAdaptative": "dpm_adaptive",
    "SamplerLMS": "lms",
}
#: Nodes that are read, or of which nothing needs to be said.
KNOWN_NODES = frozenset(
    {
        "KSampler",
        "KSampler (Efficient)",
        "KSamplerAdvanced",
        "KSamplerSelect",
        "SamplerCustom",
        "SamplerCustomAdvanced",
        "BasicGuider",
        "BasicScheduler",
        "CFGGuider",
        "RandomNoise",
        "CLIPTextEncode",
        "CLIPTextEncodeSDXL",
        "CLIPSetLastLayer",
        "ConditioningCombine",
        "ConditioningConcat",
        "ConditioningZeroOut",
        "Efficient Loader",
        "LoraLoader",
        "LoraLoaderModelOnly",
        "LoRA Stacker",
        "Power Lora Loader (rgthree)",
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
        *SCHEDULE_NODES,
        *SAMPLER_NODES,
    }
)


@dataclass(frozen=True)
class SamplerPass:
    """A node that denoises, and the nodes that settle how."""

    node: Node
    #: Which node the noise, the steps, the sampler and the texts stand in: often all the same.
    noise: Node
    sigmas: Node
    sampler: Node
    guider: Node


def read_comfy_graph(texts: Mapping[str, str]) -> GenerationInfo | None:
    """Read the graph that was run; None where there is none."""
    prompt_graph = read_json(texts.get("prompt"))
    if not isinstance(prompt_graph, Mapping):
        return None
    if len(prompt_graph) > MAX_NODES:
        is_graph = any(map(_has_class, list(prompt_graph.values())[:MAX_NODES]))
        return GenerationInfo(COMFYUI_NAME, is_unread=True) if is_graph else None
    graph = NodeGraph.from_json(prompt_graph)
    passes = _last_passes(graph)
    if passes:
        return _build_info(graph, passes)
    is_graph = any(map(_has_class, prompt_graph.values()))
    return GenerationInfo(COMFYUI_NAME, is_unread=True) if is_graph else None


def _has_class(node: object) -> bool:
    return isinstance(node, Mapping) and isinstance(node.get("class_type"), str)


def _sampler_pass(graph: NodeGraph, node: Node) -> SamplerPass | None:
    """Give a node that denoises with what it is fed by; None for any other."""
    inputs = node["inputs"]
    if PART_INPUTS & inputs.keys():
        return None
    has_seed = "seed" in inputs or "noise_seed" in inputs
    if "positive" in inputs and "steps" in inputs and has_seed:
        return SamplerPass(node, node, node, node, node)
    sigmas = next(
        (part for part in graph.walk_back(node, "sigmas") if "steps" in part["inputs"]), None
    )
    if sigmas is None or "sampler" not in inputs:
        return None
    sampler = graph.linked_node(node, "sampler") or node
    guider = graph.linked_node(node, "guider") or node
    noise = graph.linked_node(node, "noise") or node
    return SamplerPass(node, noise, sigmas, sampler, guider)


def _last_passes(graph: NodeGraph) -> list[SamplerPass]:
    """List the passes of the last picture, the first one first."""
    passes = {id(node): _sampler_pass(graph, node) for node in graph.nodes.values()}
    samplers = [node for node in graph.nodes.values() if passes[id(node)]]

    def earlier_samplers(sampler: Node) -> list[Node]:
        path = graph.walk_back(sampler, *LATENT_INPUTS)
        return [node for node in path if passes[id(node)] and node is not sampler]

    feeding_ids = {id(feeding) for node in samplers for feeding in earlier_samplers(node)}
    last = [node for node in samplers if id(node) not in feeding_ids]
    chain = [*reversed(earlier_samplers(last[-1])), last[-1]] if last else samplers[:1]
    return [sampler_pass for node in chain if (sampler_pass := passes[id(node)])]


def _build_info(graph: NodeGraph, passes: list[SamplerPass]) -> GenerationInfo:
    first = passes[0]
    guider_names = ("positive", "conditioning", "cond1")
    positive_name = next((name for name in guider_names if name in first.guider["inputs"]), "")
    prompt = read_conditioning(graph, first.guider, positive_name, is_positive=True)
    negative = read_conditioning(graph, first.guider, "negative", is_positive=False)
    if "negative" not in first.guider["inputs"]:
        negative = ""
    model_ways = list(graph.walk_back(_model_start(graph, first), "model"))
    values = {
        "Steps": graph.input_value(first.sigmas, "steps"),
        "Sampler": _sampler_name(graph, first),
        "Schedule type": _schedule_name(graph, first),
        "CFG scale": graph.input_value(first.guider, "cfg", "cfg_conds")
        or (1 if positive_name == "conditioning" else None),
        "Seed": graph.input_value(first.noise, "seed", "noise_seed"),
        "Model": next(filter(None, map(graph.checkpoint_name, model_ways)), None),
        "Clip skip": _clip_skip(graph, first, positive_name),
        "RNG": "CPU",
        **_initial_values(graph, first),
        **_hires_values(graph, passes),
    }
    missing = [
        name
        for name, value in {
            "prompt": prompt,
            "negative prompt": negative,
            "seed": values["Seed"],
            "steps": values["Steps"],
        }.items()
        if value is None
    ]
    values[NOT_FOLLOWED_KEY] = ", ".join(missing)
    values["Other nodes"] = ", ".join(
        sorted({node_class(node) for node in graph.nodes.values()} - KNOWN_NODES)[:20]
    )
    tags = (tag for node in reversed(model_ways) for tag in graph.lora_tags(node))
    text = " ".join(filter(None, [prompt, *tags]))
    return GenerationInfo(**clamp_fields(COMFYUI_NAME, text, negative, values))


def _model_start(graph: NodeGraph, sampler_pass: SamplerPass) -> Node | None:
    return graph.linked_node(sampler_pass.guider, "model") or graph.linked_node(
        sampler_pass.sigmas, "model"
    )


def _sampler_name(graph: NodeGraph, sampler_pass: SamplerPass) -> Any:
    name = graph.input_value(sampler_pass.sampler, "sampler_name")
    return name or SAMPLER_NODES.get(node_class(sampler_pass.sampler))


def _schedule_name(graph: NodeGraph, sampler_pass: SamplerPass) -> Any:
    name = graph.input_value(sampler_pass.sigmas, "scheduler")
    return name or SCHEDULE_NODES.get(node_class(sampler_pass.sigmas))


def _clip_skip(graph: NodeGraph, sampler_pass: SamplerPass, positive_name: str) -> int | None:
    text = graph.linked_node(sampler_pass.guider, positive_name)
    for node in graph.walk_back(text, "clip", "conditioning", "positive", "conditioning_to"):
        layer = graph.input_value(node, "stop_at_clip_layer", "clip_skip")
        if isinstance(layer, int) and -12 <= layer < 0:
            return -layer
    return None


def _initial_values(graph: NodeGraph, sampler_pass: SamplerPass) -> dict[str, Any]:
    """Tell the size where it begins with nothing, and the strength where with a picture."""
    start = graph.linked_node(sampler_pass.node, "latent_image")
    for node in graph.walk_back(start, *LATENT_INPUTS):
        inputs = node["inputs"]
        for width_name, height_name in (
            ("width", "height"),
            ("empty_latent_width", "empty_latent_height"),
        ):
            is_empty_latent = "batch_size" in inputs or node_class(node) in EMPTY_LATENT_NODES
            if is_empty_latent and {width_name, height_name} <= inputs.keys():
                sides = [graph.input_value(node, name) for name in (width_name, height_name)]
                return {"Size": f"{sides[0]}x{sides[1]}"} if all(sides) else {}
        if node_class(node).startswith("LoadImage"):
            return {"Denoising strength": _denoising_strength(graph, sampler_pass)}
    return {}


def _denoising_strength(graph: NodeGraph, sampler_pass: SamplerPass) -> Any:
    """Give the share of the steps that run; the advanced sampler says it as a first step."""
    share = graph.input_value(sampler_pass.sigmas, "denoise")
    steps = graph.input_value(sampler_pass.sigmas, "steps")
    first = graph.input_value(sampler_pass.node, "start_at_step")
    if share is None and isinstance(steps, int) and isinstance(first, int) and 0 < first < steps:
        return round(1 - first / steps, 4)
    return share


def _hires_values(graph: NodeGraph, passes: list[SamplerPass]) -> dict[str, Any]:
    """Read a second pass over an enlarged latent as a hires fix."""
    if len(passes) < 2:
        return {}
    first, second = passes[:2]
    values: dict[str, Any] = {
        "Hires steps": graph.input_value(second.sigmas, "steps"),
        "Denoising strength": _denoising_strength(graph, second),
        "Hires upscaler": "Latent",
        "Hires upscale": 1,
    }
    for key, read in (("Hires sampler", _sampler_name), ("Hires schedule type", _schedule_name)):
        if read(graph, second) != read(graph, first):
            values[key] = read(graph, second)
    if (cfg := graph.input_value(second.guider, "cfg")) != graph.input_value(first.guider, "cfg"):
        values["Hires CFG Scale"] = cfg
    for node in _nodes_between(graph, second, first):
        scale = graph.input_value(node, "scale_by")
        width, height = graph.input_value(node, "width"), graph.input_value(node, "height")
        if scale or (width and height):
            values["Hires upscale"] = scale
            if width and height:
                values["Hires resize"] = f"{width}x{height}"
            method = graph.input_value(node, "upscale_method")
            is_latent = node_class(node) in LATENT_UPSCALE_NODES
            if is_latent and method not in (None, LATENT_METHOD):
                values["Hires upscaler"] = f"Latent ({method})"
            elif not is_latent:
                values["Hires upscaler"] = method or "Lanczos"
        if model := graph.linked_node(node, "upscale_model"):
            values["Hires upscaler"] = graph.input_value(model, "model_name")
            break
    if len(passes) > 2:
        values["Further passes"] = len(passes) - 2
    return values


def _nodes_between(graph: NodeGraph, second: SamplerPass, first: SamplerPass) -> Iterator[Node]:
    start = graph.linked_node(second.node, "latent_image")
    for node in graph.walk_back(start, *LATENT_INPUTS):
        if node is first.node:
            return
        yield node
