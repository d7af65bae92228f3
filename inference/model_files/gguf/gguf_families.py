"""Which flow transformer a GGUF file holds, and whether it is that of the folder it lies in."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from inference.model_files.errors import UnsupportedWeights
from inference.model_files.gguf.gguf_header import GgufHeader, read_gguf_header
from inference.model_files.pipelines.flow_families import FLOW_FAMILIES, FlowFamily

#: Parts of names in the original layouts by which a class of transformers is known; FLUX.1's are
#: also in those before it.
TRANSFORMER_SIGNS = (
    ("distilled_guidance_layer.", "ChromaTransformer2DModel"),
    ("double_stream_modulation_img.", "Flux2Transformer2DModel"),
    ("double_blocks.", "FluxTransformer2DModel"),
    ("joint_blocks.", "SD3Transformer2DModel"),
    ("cap_embedder.", "ZImageTransformer2DModel"),
    ("transformer_blocks.0.img_mod.", "QwenImageTransformer2DModel"),
)
EXTRA = "gguf"


def check_gguf(path: Path, family: FlowFamily) -> GgufHeader:
    """See by its header that a GGUF file holds the transformer of a family.

    Raises:
        UnsupportedWeights: it holds another, or the extra that reads it is not installed.
        ModelError: it cannot be read.
    """
    header = read_gguf_header(path)
    class_name = find_class(header)
    if class_name not in FLOW_FAMILIES:
        titles = ", ".join(family.title for family in FLOW_FAMILIES.values())
        architecture = header.architecture[:40] or "?"
        raise UnsupportedWeights(
            "weights.gguf_unknown", file=path.name, architecture=architecture, titles=titles
        )
    if class_name != family.transformer_class:
        title = FLOW_FAMILIES[class_name].title
        raise UnsupportedWeights(
            "weights.gguf_other", file=path.name, title=title, wanted=family.title
        )
    if find_spec(EXTRA) is None:
        raise UnsupportedWeights("weights.needs_extra", file=path.name, extra=EXTRA)
    return header


def find_class(header: GgufHeader) -> str:
    """Name the class of the transformer that a file holds; empty where none is known."""
    for sign, class_name in TRANSFORMER_SIGNS:
        if any(sign in name for name in header.entries):
            return class_name
    return ""


def describe_gguf(path: Path) -> str:
    """Say in words what a GGUF file holds.

    Raises:
        ModelError: it cannot be read.
    """
    header = read_gguf_header(path)
    family = FLOW_FAMILIES.get(find_class(header))
    title = (
        family.title if family else f"the architecture {header.architecture[:40] or '?'}, not run"
    )
    return f"a GGUF file of {title}"
