"""Families whose transformer predicts a flow: what their folders hold and how they are used."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from inference.model_files.errors import ModelError
from inference.model_files.files import PIPELINE_INDEX, is_folder, part_folder
from inference.model_files.json_files import read_json_object

#: How a checkpoint's guidance works: `cfg` runs an unconditional half, `embedded` tells the network
#: the number, `none` was trained away.
GuidanceKind = Literal["cfg", "embedded", "none"]
#: How pictures to look at are brought to size.
ReferenceFit = Literal["crop", "trained sizes", "megapixel"]
CONFIG_FILE, NETWORK_PART = "config.json", "transformer"
#: Sides of pictures are multiples of this: patches are 2 x 2 cells of 8 pixels.
PATCH_PIXELS = 16
#: Pixels a side of what all these families were trained on.
NATURAL_SIDE = 1024


#: What a text model's settings call the class that is read.
TEXT_MODEL_TYPES = {
    "Qwen3Model": "qwen3",
    "Qwen2_5_VLModel": "qwen2_5_vl",
    "T5EncoderModel": "t5",
    "CLIPTextModel": "clip_text_model",
    "CLIPTextModelWithProjection": "clip_text_model",
}


@dataclass(frozen=True)
class FlowVariant:
    """What checkpoints of one family differ in, by the pipeline that their index names."""

    #: What it is told as guidance, where it is told it, unless a job says another.
    own_guidance: float = 1.0
    #: The most pictures that it looks at while it paints one by an instruction.
    max_references: int = 0
    #: The size at which it does: its own up to a megapixel, cut to whole patches; the nearest of
    #: the sizes it was trained on; or a megapixel in whole 32s.
    reference_fit: ReferenceFit = "crop"
    #: Whether its text model is told each picture's number, and the pixels that it sees of it where
    #: that is not all.
    are_numbered: bool = False
    seen_area: int | None = None


@dataclass(frozen=True)
class FlowFamily:
    """One family, by the class of its transformer in diffusers."""

    title: str
    #: What its folders' index says that they are.
    pipeline_class: str
    transformer_class: str
    autoencoder_class: str
    #: Folders of text encoders with the class in transformers, in the order they are read.
    text_classes: Mapping[str, str]
    #: How guidance works, and the name of the setting by which a checkpoint says it is told it.
    guidance: GuidanceKind = "cfg"
    guidance_setting: str = ""
    #: Whether a guided patch is scaled to the length of its condition's.
    keeps_lengths: bool = False
    #: By the pipeline's class in an index; an index of another class, or none, means the family's.
    variants: Mapping[str, FlowVariant] = field(default_factory=dict)

    @property
    def pipeline_classes(self) -> tuple[str, ...]:
        """The pipelines that an index may name."""
        return tuple(dict.fromkeys((self.pipeline_class, *self.variants)))

    def find_variant(self, pipeline_class: str) -> FlowVariant:
        """Give what sets a checkpoint apart from others of its family, by its index's class."""
        usual_variant = self.variants.get(self.pipeline_class, FlowVariant())
        return self.variants.get(pipeline_class, usual_variant)

    def guidance_kind(
        self, config: Mapping[str, Any], *, is_distilled: bool = False
    ) -> GuidanceKind:
        """Say how guidance of a checkpoint works, by its transformer's settings and its index."""
        if is_distilled:
            return "none"
        if self.guidance_setting and config.get(self.guidance_setting, False):
            return "embedded"
        return self.guidance


#: By the transformer's class.
FLOW_FAMILIES = {
    family.transformer_class: family
    for family in (
        FlowFamily(
            title="Z-Image",
            pipeline_class="ZImagePipeline",
            transformer_class="ZImageTransformer2DModel",
            autoencoder_class="AutoencoderKL",
            text_classes={"text_encoder": "Qwen3Model"},
        ),
        FlowFamily(
            title="FLUX.1",
            pipeline_class="FluxPipeline",
            transformer_class="FluxTransformer2DModel",
            autoencoder_class="AutoencoderKL",
            text_classes={"text_encoder": "CLIPTextModel", "text_encoder_2": "T5EncoderModel"},
            guidance="none",
            guidance_setting="guidance_embeds",
            variants={
                "FluxPipeline": FlowVariant(own_guidance=3.5),
                "FluxKontextPipeline": FlowVariant(
                    own_guidance=2.5, max_references=1, reference_fit="trained sizes"
                ),
            },
        ),
        FlowFamily(
            title="FLUX.2 klein",
            pipeline_class="Flux2KleinPipeline",
            transformer_class="Flux2Transformer2DModel",
            autoencoder_class="AutoencoderKLFlux2",
            text_classes={"text_encoder": "Qwen3Model"},
            variants={"Flux2KleinPipeline": FlowVariant(max_references=4)},
        ),
        FlowFamily(
            title="Chroma",
            pipeline_class="ChromaPipeline",
            transformer_class="ChromaTransformer2DModel",
            autoencoder_class="AutoencoderKL",
            text_classes={"text_encoder": "T5EncoderModel"},
        ),
        FlowFamily(
            title="Qwen-Image",
            pipeline_class="QwenImagePipeline",
            transformer_class="QwenImageTransformer2DModel",
            autoencoder_class="AutoencoderKLQwenImage",
            text_classes={"text_encoder": "Qwen2_5_VLModel"},
            keeps_lengths=True,
            variants={
                "QwenImageEditPipeline": FlowVariant(max_references=1, reference_fit="megapixel"),
                "QwenImageEditPlusPipeline": FlowVariant(
                    max_references=3,
                    reference_fit="megapixel",
                    are_numbered=True,
                    seen_area=384 * 384,
                ),
            },
        ),
        FlowFamily(
            title="Stable Diffusion 3",
            pipeline_class="StableDiffusion3Pipeline",
            transformer_class="SD3Transformer2DModel",
            autoencoder_class="AutoencoderKL",
            text_classes={
                "text_encoder": "CLIPTextModelWithProjection",
                "text_encoder_2": "CLIPTextModelWithProjection",
                "text_encoder_3": "T5EncoderModel",
            },
        ),
    )
}


def find_flow_family(folder: Path) -> FlowFamily | None:
    """Name the family of a checkpoint's folder that is run as one of these; None for others."""
    if not is_folder(part_folder(folder, NETWORK_PART)):
        return None
    try:
        config = read_json_object(part_folder(folder, NETWORK_PART) / CONFIG_FILE, folders=2)
    except ModelError:
        return None
    return FLOW_FAMILIES.get(str(config.get("_class_name", "")))


def read_pipeline_class(folder: Path) -> str:
    """Read which pipeline a checkpoint's index says that it is; empty where it says nothing."""
    try:
        index = read_json_object(part_folder(folder, PIPELINE_INDEX))
    except ModelError:
        return ""
    return str(index.get("_class_name", ""))
