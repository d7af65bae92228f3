"""Tiny checkpoints of the real flow families, their weights drawn so that they answer."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import diffusers
import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    PreTrainedTokenizerFast,
    Qwen3Config,
    Qwen3Model,
    T5Config,
    T5EncoderModel,
)

WORDS = (
    *("a", "red", "green", "apple", "cat", "on", "the", "white", "table", "and", "sky", "with"),
    *("of", "night", "blue", "user", "assistant", "system", "(", ")", ",", ".", ":"),
)
MARKS = ("<pad>", "<unk>", "<|im_start|>", "<|im_end|>", "<think>", "</think>", "</s>")
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


def make_tokenizer(max_tokens: int, *, ends: bool = False) -> PreTrainedTokenizerFast:
    """Make a tokenizer of some words; one that `ends` puts the end behind each text, as T5's."""
    words = [*MARKS, *WORDS]
    backend = Tokenizer(
        models.WordLevel({word: number for number, word in enumerate(words)}, "<unk>")
    )
    backend.normalizer = normalizers.Lowercase()
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
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
        additional_special_tokens=["<|im_start|>", "<|im_end|>"],
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


def save_z_image(folder: Path, **scheduler: object) -> None:
    """Write a Z-Image checkpoint, by default with Turbo's static shift."""
    transformer = diffusers.ZImageTransformer2DModel(
        in_channels=16,
        dim=32,
        n_layers=2,
        n_refiner_layers=1,
        n_heads=2,
        n_kv_heads=2,
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
    "sd3": save_sd3,
}


def change_json(path: Path, **values: object) -> None:
    """Change settings of a JSON file."""
    path.write_text(json.dumps(json.loads(path.read_text()) | values))
