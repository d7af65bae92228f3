"""Read a checkpoint of a flow family from a folder in diffusers' layout; never the network."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import diffusers
import torch
import transformers
from torch import Tensor
from transformers import AutoTokenizer

from inference.api.catalogue.memory_plan import WeightFormat
from inference.diffusion.diffusers_folder import load_folder_vae, name_part, open_part
from inference.diffusion.flow.flow_model import FlowModel
from inference.diffusion.flow.flux2_codec import Flux2Codec
from inference.diffusion.flow.networks import VELOCITY_FUNCTIONS
from inference.diffusion.flow.qwen_codec import QwenCodec
from inference.diffusion.flow.text_side import LanguageEncoders
from inference.diffusion.model import LatentCodec
from inference.diffusion.quantized.fp8 import keep_fp8
from inference.diffusion.quantized.gguf_weights import load_gguf
from inference.diffusion.quantized.nf4 import keep_nf4
from inference.diffusion.single_file import set_position_ids
from inference.model_files.files import GGUF_SUFFIX, PIPELINE_INDEX, part_folder
from inference.model_files.json_files import open_plain_file, read_json_object
from inference.model_files.pipeline_folder import read_flow_scheduler, read_part_config
from inference.model_files.pipelines.flow_families import (
    NATURAL_SIDE,
    NETWORK_PART,
    FlowFamily,
    read_pipeline_class,
)
from inference.model_files.pipelines.part_weights import find_part_files
from inference.model_files.reader import Find, TensorFile, load_into
from inference.prompts.chunks import Tokenizer
from inference.prompts.conditioning import PromptEncoder
from inference.prompts.language import ChatEncoder, MaskedT5Encoder, T5Encoder, TripleEncoder
from inference.prompts.vision_language import VisionEncoder
from inference.runtime.precision import PartFormats
from inference.sampling.flow_table import FlowShift, FlowTable

#: By the autoencoder's class; others scale and shift all channels alike.
CODECS: Mapping[str, type[LatentCodec]] = {
    "AutoencoderKLFlux2": Flux2Codec,
    "AutoencoderKLQwenImage": QwenCodec,
}
#: The settings of each text model's class.
TEXT_CONFIGS = {
    "Qwen3Model": "Qwen3Config",
    "CLIPTextModel": "CLIPTextConfig",
    "CLIPTextModelWithProjection": "CLIPTextConfig",
    "T5EncoderModel": "T5Config",
    "Qwen2_5_VLModel": "Qwen2_5_VLConfig",
}
#: Layers of Qwen3 that FLUX.2 klein reads, side by side.
KLEIN_LAYERS = (9, 18, 27)
#: Beginnings that files put before a text model's weights, or leave out.
TEXT_PREFIXES = ("", "model.", "text_model.", "language_model.", "model.language_model.")
#: What tied weights of T5 are called besides.
TIED_NAMES = {
    "shared.weight": "encoder.embed_tokens.weight",
    "encoder.embed_tokens.weight": "shared.weight",
}


def load_flow_folder(
    folder: Path,
    name: str,
    family: FlowFamily,
    device: torch.device,
    formats: PartFormats,
    weight_format: WeightFormat = "full",
) -> FlowModel:
    """Load a checkpoint of a flow family, its large layers in eight bits where that is wanted.

    Raises:
        MissingWeights: a part is not there, or only as a pickle.
        CorruptWeights: a part cannot be read.
    """
    with name_part(folder, "scheduler"):
        is_flux2 = family.transformer_class == "Flux2Transformer2DModel"
        shift = FlowShift.from_config(
            read_flow_scheduler(folder),
            is_flux2=is_flux2,
            ends_at_trained=family.transformer_class == "SD3Transformer2DModel",
        )
        table = FlowTable.of_shift(shift)
    variant = family.find_variant(read_pipeline_class(folder))
    return FlowModel(
        name=name,
        family=family,
        max_references=variant.max_references,
        own_guidance=variant.own_guidance,
        transformer=_load_transformer(folder, family, device, formats.network, weight_format),
        run_network=VELOCITY_FUNCTIONS[family.transformer_class],
        vae=_load_autoencoder(folder, family, device, formats.autoencoder),
        codec=CODECS.get(family.autoencoder_class, LatentCodec)(),
        is_distilled=_read_index(folder).get("is_distilled") is True,
        text_encoders=_load_text_side(folder, family, device, formats.text),
        table=table,
        prediction="flow",
        size=NATURAL_SIDE,
        device=device,
        dtype=formats.network,
    )


def read_language_tokenizer(folder: Path, family: FlowFamily) -> Tokenizer:
    """Read the tokenizer by which a checkpoint's prompts are explained, without loading it.

    Raises:
        CorruptWeights: it cannot be read.
    """
    encoders = ENCODER_BUILDERS[family.transformer_class]
    part, max_tokens = encoders.main_tokenizer, encoders.max_tokens
    return _explain_tokenizer(_read_tokenizer(folder, part), max_tokens)


def _load_transformer(
    folder: Path,
    family: FlowFamily,
    device: torch.device,
    dtype: torch.dtype,
    weight_format: WeightFormat,
) -> Any:
    config = read_part_config(folder, NETWORK_PART, family.transformer_class)
    with name_part(folder, NETWORK_PART), torch.device("meta"):
        transformer = getattr(diffusers, family.transformer_class).from_config(config)
    (file, *_) = find_part_files(folder, NETWORK_PART)
    if file.suffix.lower() == GGUF_SUFFIX:
        with name_part(folder, NETWORK_PART):
            loaded_network = load_gguf(file, transformer, family, device, dtype)
            return _restore_projection(loaded_network, device)
    with open_part(folder, NETWORK_PART) as reader, name_part(folder, NETWORK_PART):
        find: Find = reader.get_tensor
        is_wanted = weight_format == "fp8"
        keep_nf4(transformer, reader, device, dtype)
        keep_fp8(transformer, reader, device, dtype, is_wanted=is_wanted)
        loaded_network = load_into(transformer, find, folder / NETWORK_PART, device, dtype)
        return _restore_projection(loaded_network, device)


def _load_autoencoder(
    folder: Path, family: FlowFamily, device: torch.device, dtype: torch.dtype
) -> Any:
    if family.autoencoder_class == "AutoencoderKL":
        return load_folder_vae(folder, device, dtype)
    config = read_part_config(folder, "vae", family.autoencoder_class)
    with open_part(folder, "vae") as reader, name_part(folder, "vae"):
        with torch.device("meta"):
            vae = getattr(diffusers, family.autoencoder_class).from_config(config)
        return load_into(vae, reader.get_tensor, folder / "vae", device, dtype)


def _read_index(folder: Path) -> dict[str, Any]:
    path = part_folder(folder, PIPELINE_INDEX)
    return read_json_object(path) if path.exists() else {}


def _load_text_model(
    folder: Path, part: str, class_name: str, device: torch.device, dtype: torch.dtype
) -> Any:
    config = read_part_config(folder, part)
    with open_part(folder, part) as reader, name_part(folder, part):
        settings = getattr(transformers, TEXT_CONFIGS[class_name])(**config)
        with torch.device("meta"):
            model = getattr(transformers, class_name)(settings)
        keep_nf4(model, reader, device, dtype)
        loaded_model = load_into(model, _text_finder(reader), folder / part, device, dtype)
        if class_name.startswith("CLIP"):
            return set_position_ids(loaded_model, device)
        return _restore_frequencies(loaded_model, device)


def _text_finder(reader: TensorFile) -> Find:
    def find_weight(name: str) -> Tensor | None:
        bare = name.removeprefix("text_model.").removeprefix("language_model.")
        names = [prefix + bare for prefix in TEXT_PREFIXES]
        return reader.get_tensor(*names, TIED_NAMES.get(name, name))

    return find_weight


def _restore_projection(transformer: Any, device: torch.device) -> Any:
    """Count Chroma's numbers of its layers anew, and Qwen's of places: no file holds them."""
    if type(transformer).__name__ == "ChromaTransformer2DModel":
        config = transformer.config
        transformer.time_text_embed = type(transformer.time_text_embed)(
            num_channels=config.approximator_num_channels // 4,
            out_dim=3 * config.num_single_layers + 12 * config.num_layers + 2,
        ).to(device)
    if type(transformer).__name__ == "QwenImageTransformer2DModel":
        places = transformer.pos_embed
        transformer.pos_embed = type(places)(
            theta=places.theta, axes_dim=places.axes_dim, scale_rope=places.scale_rope
        )
    return transformer


def _restore_frequencies(model: Any, device: torch.device) -> Any:
    """Count the rotary frequencies anew: no file holds them, and the meta device lost them."""
    for place, module in list(model.named_modules()):
        if "inv_freq" in module._buffers:
            parent = model.get_submodule(place.rpartition(".")[0])
            fresh_module = type(module)(module.config).to(device)
            setattr(parent, place.rpartition(".")[2], fresh_module)
    return model


def _read_tokenizer(folder: Path, part: str) -> Any:
    place = part_folder(folder, part)
    with name_part(folder, part):
        for file in place.glob("*.*"):
            open_plain_file(file).close()
        return AutoTokenizer.from_pretrained(str(place), local_files_only=True)


def _explain_tokenizer(tokenizer: Any, max_tokens: int) -> Tokenizer:
    """Give what the linter needs to know of a language model's tokenizer."""

    def tokenize(text: str) -> list[int]:
        ids: list[int] = tokenizer(text, add_special_tokens=False).input_ids
        return ids

    pad = int(tokenizer.pad_token_id or 0)
    return Tokenizer(tokenize, pad, pad, pad, max_tokens + 2)


def _load_text_side(
    folder: Path, family: FlowFamily, device: torch.device, dtype: torch.dtype
) -> LanguageEncoders:
    models = tuple(
        _load_text_model(folder, part, class_name, device, dtype)
        for part, class_name in family.text_classes.items()
    )
    builder = ENCODER_BUILDERS[family.transformer_class]
    tokenizers = tuple(_read_tokenizer(folder, part) for part in builder.tokenizers)
    encoder = builder.build(tokenizers, models, builder.max_tokens)
    variant = family.find_variant(read_pipeline_class(folder))
    if isinstance(encoder, VisionEncoder) and variant.max_references:
        encoder = replace(
            encoder,
            image_processor=_read_image_processor(folder),
            are_numbered=variant.are_numbered,
            seen_area=variant.seen_area,
        )
    return LanguageEncoders(
        tokenizer=_explain_tokenizer(tokenizers[-1], builder.max_tokens),
        models=models,
        encoder=encoder,
    )


def _read_image_processor(folder: Path) -> Any:
    """Read how a vision-language model is shown pictures; by Pillow, the same on every host."""
    place = part_folder(folder, "processor")
    with name_part(folder, "processor"):
        for file in place.glob("*.*"):
            open_plain_file(file).close()
        return transformers.Qwen2VLImageProcessorPil.from_pretrained(
            str(place), local_files_only=True
        )


class EncoderBuilder:
    """Which tokenizers a family's encoder takes, and how it is made of them and the text models."""

    def __init__(
        self,
        tokenizers: tuple[str, ...],
        max_tokens: int,
        build: Callable[[tuple[Any, ...], tuple[Any, ...], int], PromptEncoder],
    ) -> None:
        self.tokenizers, self.max_tokens, self.build = tokenizers, max_tokens, build

    @property
    def main_tokenizer(self) -> str:
        """The folder of the tokenizer that sees most of a prompt."""
        return self.tokenizers[-1]


def _build_z_image(
    tokenizers: tuple[Any, ...], models: tuple[Any, ...], max_tokens: int
) -> PromptEncoder:
    return ChatEncoder(tokenizers[0], models[0], (-2,), max_tokens, has_thoughts=True)


def _build_flux1(
    tokenizers: tuple[Any, ...], models: tuple[Any, ...], max_tokens: int
) -> PromptEncoder:
    return T5Encoder(tokenizers[1], models[1], max_tokens, clip=(tokenizers[0], models[0]))


def _build_klein(
    tokenizers: tuple[Any, ...], models: tuple[Any, ...], max_tokens: int
) -> PromptEncoder:
    return ChatEncoder(tokenizers[0], models[0], KLEIN_LAYERS, max_tokens, is_padded=True)


def _build_chroma(
    tokenizers: tuple[Any, ...], models: tuple[Any, ...], max_tokens: int
) -> PromptEncoder:
    return MaskedT5Encoder(tokenizers[0], models[0], max_tokens)


def _build_qwen(
    tokenizers: tuple[Any, ...], models: tuple[Any, ...], max_tokens: int
) -> PromptEncoder:
    return VisionEncoder(tokenizers[0], models[0], max_tokens)


def _build_sd3(
    tokenizers: tuple[Any, ...], models: tuple[Any, ...], max_tokens: int
) -> PromptEncoder:
    clips = tuple(zip(tokenizers[:2], models[:2], strict=True))
    return TripleEncoder(clips, T5Encoder(tokenizers[2], models[2], max_tokens))


#: By the transformer's class.
ENCODER_BUILDERS: Mapping[str, EncoderBuilder] = {
    "ZImageTransformer2DModel": EncoderBuilder(("tokenizer",), 512, _build_z_image),
    "FluxTransformer2DModel": EncoderBuilder(("tokenizer", "tokenizer_2"), 512, _build_flux1),
    "Flux2Transformer2DModel": EncoderBuilder(("tokenizer",), 512, _build_klein),
    "ChromaTransformer2DModel": EncoderBuilder(("tokenizer",), 512, _build_chroma),
    "QwenImageTransformer2DModel": EncoderBuilder(("tokenizer",), 512, _build_qwen),
    "SD3Transformer2DModel": EncoderBuilder(
        ("tokenizer", "tokenizer_2", "tokenizer_3"), 256, _build_sd3
    ),
}
