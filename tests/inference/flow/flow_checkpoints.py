"""Tiny checkpoints of the real flow families, their weights drawn so that they answer."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import diffusers
import torch
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    PreTrainedTokenizerFast,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2VLImageProcessorPil,
    Qwen2VLProcessor,
    Qwen2VLVideoProcessor,
    Qwen3Config,
    Qwen3Model,
    T5Config,
    T5EncoderModel,
)

WORDS = (
    *("a", "red", "green", "apple", "cat", "on", "the", "white", "table", "and", "sky", "with"),
    *("of", "night", "blue", "user", "assistant", "system", "(", ")", ",", ".", ":"),
)
#: What pictures stand for in a text, and lines end with.
SIGHT_MARKS = ("<|image_pad|>", "<|vision_start|>", "<|vision_end|>", "<|video_pad|>")
MARKS = ("<pad>", "<unk>", "<|im_start|>", "<|im_end|>", "<think>", "</think>", "</s>")
SEEING_MARKS = (*MARKS, *SIGHT_MARKS)
CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|> {{ message.role }} {{ message.content }} <|im_end|> "
    "{% endfor %}<|im_start|> assistant "
    "{% if enable_thinking is defined and not enable_thinking %}<think> </think> {% endif %}"
)
#: How strongly each linear layer answers; diffusers' own start would leave tiny networks silent.
GAIN = 0.6


def redraw_weights(module: torch.nn.Module, seed: int) -> Any:
    """Draw all weights anew: matrices by their inputs, what scales near 1, what shifts near 0."""
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in module.named_parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        if parameter.ndim > 1:
            fan_in = parameter[0].numel()
            values = noise * GAIN / fan_in**0.5 if "embed_tokens" not in name else noise
        else:
            values = 1 + 0.1 * noise if name.endswith("weight") else 0.1 * noise
        parameter.data.copy_(values)
    return module.eval()


def make_tokenizer(
    max_tokens: int, *, ends: bool = False, marks: tuple[str, ...] = MARKS
) -> PreTrainedTokenizerFast:
    """Make a tokenizer of some words; one that `ends` puts the end behind each text, as T5's."""
    words = [*marks, *WORDS]
    backend = Tokenizer(
        models.WordLevel({word: number for number, word in enumerate(words)}, "<unk>")
    )
    backend.normalizer = normalizers.Lowercase()
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    if marks is SEEING_MARKS:  # counts a task's tokens as Qwen's does, ends of lines too
        words_and_marks = Regex(r"\w+|[^\w\s]|\n")
        backend.pre_tokenizer = pre_tokenizers.Split(words_and_marks, "removed", invert=True)
    if ends:
        from tokenizers.processors import TemplateProcessing

        number = words.index("</s>")
        backend.post_processor = TemplateProcessing("$A </s>", None, [("</s>", number)])
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        pad_token="<pad>",
        unk_token="<unk>",
        eos_token="</s>",
        padding_side="right",
        model_max_length=max_tokens,
        additional_special_tokens=["<|im_start|>", "<|im_end|>", *marks[len(MARKS) :]],
        chat_template=CHAT_TEMPLATE,
    )


def make_autoencoder(seed: int, channels: int = 16) -> Any:
    """Make FLUX.1's kind of autoencoder, eight pixels a cell."""
    vae = diffusers.AutoencoderKL(
        block_out_channels=(8, 8, 16, 16),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        latent_channels=channels,
        layers_per_block=1,
        norm_num_groups=4,
        sample_size=64,
        scaling_factor=0.3611,
        shift_factor=0.1159,
        use_quant_conv=False,
        use_post_quant_conv=False,
    )
    return redraw_weights(vae, seed)


def make_language_model(width: int, layers: int, seed: int) -> Any:
    """Make a small Qwen3."""
    config = Qwen3Config(
        vocab_size=len(MARKS) + len(WORDS),
        hidden_size=width,
        intermediate_size=2 * width,
        num_hidden_layers=layers,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=8,
        max_position_embeddings=1024,
    )
    return redraw_weights(Qwen3Model(config), seed)


def make_t5(width: int, seed: int) -> Any:
    """Make a small T5 encoder."""
    config = T5Config(
        vocab_size=len(MARKS) + len(WORDS),
        d_model=width,
        d_kv=8,
        d_ff=2 * width,
        num_layers=2,
        num_heads=2,
        feed_forward_proj="gated-gelu",
    )
    return redraw_weights(T5EncoderModel(config), seed)


def make_clip(width: int, seed: int, model_class: Any = CLIPTextModel) -> Any:
    """Make a small CLIP text model."""
    config = CLIPTextConfig(
        vocab_size=len(MARKS) + len(WORDS),
        hidden_size=width,
        intermediate_size=2 * width,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=77,
        bos_token_id=2,
        eos_token_id=MARKS.index("</s>"),
        pad_token_id=0,
        projection_dim=width,
    )
    return redraw_weights(model_class(config), seed)


def save_z_image(folder: Path, *, dim: int = 32, n_layers: int = 2, **scheduler: object) -> None:
    """Write a Z-Image checkpoint, by default with Turbo's static shift."""
    transformer = diffusers.ZImageTransformer2DModel(
        in_channels=16,
        dim=dim,
        n_layers=n_layers,
        n_refiner_layers=1,
        n_heads=dim // 16,
        n_kv_heads=dim // 16,
        cap_feat_dim=16,
        axes_dims=[8, 4, 4],
        axes_lens=[1024, 64, 64],
    )
    diffusers.ZImagePipeline(
        scheduler=make_scheduler(**{"shift": 3.0, **scheduler}),
        vae=make_autoencoder(1),
        text_encoder=make_language_model(16, 3, 2),
        tokenizer=make_tokenizer(1024),
        transformer=redraw_weights(transformer, 3),
    ).save_pretrained(folder)


def save_flux1(
    folder: Path, *, is_told: bool = True, pipeline_class: Any = diffusers.FluxPipeline
) -> None:
    """Write a FLUX.1 checkpoint: dev, which is told its guidance, schnell or Kontext."""
    transformer = diffusers.FluxTransformer2DModel(
        in_channels=64,
        num_layers=1,
        num_single_layers=1,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=32,
        pooled_projection_dim=32,
        axes_dims_rope=(4, 4, 8),
        guidance_embeds=is_told,
    )
    scheduler = {"use_dynamic_shifting": True, "shift": 3.0} if is_told else {"shift": 1.0}
    pipeline_class(
        scheduler=make_scheduler(**scheduler),
        vae=make_autoencoder(1),
        text_encoder=make_clip(32, 2),
        tokenizer=make_tokenizer(77, ends=True),
        text_encoder_2=make_t5(32, 3),
        tokenizer_2=make_tokenizer(512, ends=True),
        transformer=redraw_weights(transformer, 4),
    ).save_pretrained(folder)


def save_klein(folder: Path, *, is_distilled: bool = True) -> None:
    """Write a FLUX.2 klein checkpoint, distilled or base."""
    transformer = diffusers.Flux2Transformer2DModel(
        in_channels=64,
        num_layers=1,
        num_single_layers=1,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=48,
        axes_dims_rope=(4, 4, 4, 4),
        guidance_embeds=False,
    )
    vae = diffusers.AutoencoderKLFlux2(
        block_out_channels=(8, 8, 16, 16),
        layers_per_block=1,
        latent_channels=16,
        norm_num_groups=4,
        use_quant_conv=False,
        use_post_quant_conv=False,
    )
    generator = torch.Generator().manual_seed(9)
    redraw_weights(vae, 1)
    vae.bn.running_mean.copy_(torch.randn(64, generator=generator) * 0.3)
    vae.bn.running_var.copy_(torch.rand(64, generator=generator) + 0.5)
    diffusers.Flux2KleinPipeline(
        scheduler=make_scheduler(use_dynamic_shifting=True),
        vae=vae,
        text_encoder=make_language_model(16, 28, 2),
        tokenizer=make_tokenizer(1024),
        transformer=redraw_weights(transformer, 3),
        is_distilled=is_distilled,
    ).save_pretrained(folder)


def save_chroma(folder: Path) -> None:
    """Write a Chroma checkpoint."""
    transformer = diffusers.ChromaTransformer2DModel(
        in_channels=64,
        num_layers=1,
        num_single_layers=1,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=32,
        axes_dims_rope=(4, 4, 8),
        approximator_num_channels=8,
        approximator_hidden_dim=32,
        approximator_layers=1,
    )
    diffusers.ChromaPipeline(
        scheduler=make_scheduler(shift=1.5),
        vae=make_autoencoder(1),
        text_encoder=make_t5(32, 3),
        tokenizer=make_tokenizer(512, ends=True),
        transformer=redraw_weights(transformer, 4),
    ).save_pretrained(folder)


def save_qwen(folder: Path, *, pipeline_class: Any = diffusers.QwenImagePipeline) -> None:
    """Write a Qwen-Image checkpoint, or one of those that edit."""
    transformer = diffusers.QwenImageTransformer2DModel(
        in_channels=64,
        out_channels=16,
        num_layers=2,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=16,
        axes_dims_rope=(8, 4, 4),
        zero_cond_t=pipeline_class is diffusers.QwenImageEditPlusPipeline,
    )
    generator = torch.Generator().manual_seed(8)
    vae = diffusers.AutoencoderKLQwenImage(
        base_dim=8,
        z_dim=16,
        dim_mult=[1, 1, 2, 2],
        num_res_blocks=1,
        temperal_downsample=[False, True, True],
        latents_mean=(torch.randn(16, generator=generator) * 0.2).tolist(),
        latents_std=(torch.rand(16, generator=generator) + 0.5).tolist(),
    )
    tokenizer = make_tokenizer(2048, marks=SEEING_MARKS)
    processor = {
        "processor": Qwen2VLProcessor(
            Qwen2VLImageProcessorPil(size={"shortest_edge": 56 * 56, "longest_edge": 112 * 112}),
            tokenizer,
            Qwen2VLVideoProcessor(),
        )
    }
    pipeline_class(
        scheduler=make_scheduler(
            use_dynamic_shifting=True, max_shift=0.9, max_image_seq_len=8192, shift_terminal=0.02
        ),
        vae=redraw_weights(vae, 1),
        text_encoder=make_vision_model(16, 2),
        tokenizer=tokenizer,
        transformer=redraw_weights(transformer, 3),
        **(processor if pipeline_class is not diffusers.QwenImagePipeline else {}),
    ).save_pretrained(folder)


def make_vision_model(width: int, seed: int) -> Any:
    """Make a small Qwen2.5-VL."""
    config = Qwen2_5_VLConfig(
        text_config={
            "vocab_size": len(SEEING_MARKS) + len(WORDS),
            "hidden_size": width,
            "intermediate_size": 2 * width,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "num_key_value_heads": 1,
            "max_position_embeddings": 4096,
            "rope_parameters": {"rope_type": "default", "mrope_section": [2, 1, 1]},
        },
        vision_config={
            "depth": 2,
            "hidden_size": width,
            "intermediate_size": 2 * width,
            "num_heads": 2,
            "out_hidden_size": width,
            "fullatt_block_indexes": [1],
        },
        image_token_id=SEEING_MARKS.index("<|image_pad|>"),
        vision_start_token_id=SEEING_MARKS.index("<|vision_start|>"),
        vision_end_token_id=SEEING_MARKS.index("<|vision_end|>"),
    )
    return redraw_weights(Qwen2_5_VLForConditionalGeneration(config), seed)


def save_sd3(folder: Path) -> None:
    """Write a Stable Diffusion 3.5 checkpoint."""
    transformer = diffusers.SD3Transformer2DModel(
        sample_size=64,
        patch_size=2,
        in_channels=16,
        num_layers=2,
        attention_head_dim=8,
        num_attention_heads=4,
        joint_attention_dim=80,
        caption_projection_dim=32,
        pooled_projection_dim=64,
        out_channels=16,
        pos_embed_max_size=96,
        dual_attention_layers=(0,),
        qk_norm="rms_norm",
    )
    diffusers.StableDiffusion3Pipeline(
        scheduler=make_scheduler(shift=3.0),
        vae=make_autoencoder(1),
        text_encoder=make_clip(32, 2, CLIPTextModelWithProjection),
        tokenizer=make_tokenizer(77, ends=True),
        text_encoder_2=make_clip(32, 5, CLIPTextModelWithProjection),
        tokenizer_2=make_tokenizer(77, ends=True),
        text_encoder_3=make_t5(80, 3),
        tokenizer_3=make_tokenizer(256, ends=True),
        transformer=redraw_weights(transformer, 4),
    ).save_pretrained(folder)


def make_scheduler(**settings: object) -> Any:
    """Make the scheduler that all these families come with."""
    return diffusers.FlowMatchEulerDiscreteScheduler(**settings)


#: Name of a checkpoint and what writes it.
CHECKPOINTS: Mapping[str, Callable[[Path], None]] = {
    "z-image": save_z_image,
    "flux-dev": save_flux1,
    "flux-schnell": lambda folder: save_flux1(folder, is_told=False),
    "kontext": lambda folder: save_flux1(folder, pipeline_class=diffusers.FluxKontextPipeline),
    "klein": save_klein,
    "klein-base": lambda folder: save_klein(folder, is_distilled=False),
    "chroma": save_chroma,
    "qwen": save_qwen,
    "qwen-edit": lambda folder: save_qwen(folder, pipeline_class=diffusers.QwenImageEditPipeline),
    "qwen-edit-plus": lambda folder: save_qwen(
        folder, pipeline_class=diffusers.QwenImageEditPlusPipeline
    ),
    "sd3": save_sd3,
}


def change_json(path: Path, **values: object) -> None:
    """Change settings of a JSON file."""
    path.write_text(json.dumps(json.loads(path.read_text()) | values))
