"""The captioner's shape, its tokenizer, and its picture side carried over from CLIP."""

from __future__ import annotations

import string
from collections.abc import Iterable

import torch
from torch import Tensor
from transformers import (
    BertTokenizer,
    BlipConfig,
    BlipForConditionalGeneration,
    BlipImageProcessor,
    BlipProcessor,
    CLIPModel,
)

from tools.starter.vocabulary import LENGTH, vocabulary_words

SPECIALS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
WIDTH = 192
TEXT_LAYERS = 3


def build_captioner_tokenizer(names: Iterable[str]) -> BertTokenizer:
    """Return a BertTokenizer whose tokens are the captions' words, and letters for all others."""
    letters = [*string.ascii_lowercase, *string.digits, *string.punctuation]
    words = [w for w in vocabulary_words(names) if w not in letters]
    tokens = [*SPECIALS, *letters, *(f"##{c}" for c in letters), *words]
    vocabulary = {token: index for index, token in enumerate(tokens)}
    return BertTokenizer(vocab=vocabulary, model_max_length=LENGTH)


def build_processor(tokenizer: BertTokenizer) -> BlipProcessor:
    """Return the processor that matches training: 128 pixels, values in -1 to 1."""
    images = BlipImageProcessor(
        size={"height": 128, "width": 128}, image_mean=[0.5] * 3, image_std=[0.5] * 3
    )
    return BlipProcessor(images, tokenizer)


def new_captioner(tokenizer: BertTokenizer) -> BlipForConditionalGeneration:
    """Return an untrained BLIP captioner whose picture side has the shape of the pack's CLIP."""
    vision = {
        "hidden_size": WIDTH,
        "intermediate_size": 4 * WIDTH,
        "num_hidden_layers": 5,
        "num_attention_heads": 4,
        "image_size": 128,
        "patch_size": 16,
        "hidden_act": "quick_gelu",
        "initializer_range": 0.02,
    }
    text = {
        "vocab_size": len(tokenizer),
        "hidden_size": WIDTH,
        "intermediate_size": 4 * WIDTH,
        "num_hidden_layers": TEXT_LAYERS,
        "num_attention_heads": 4,
        "max_position_embeddings": LENGTH,
        "bos_token_id": tokenizer.cls_token_id,
        "sep_token_id": tokenizer.sep_token_id,
        "eos_token_id": tokenizer.sep_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    return BlipForConditionalGeneration(
        BlipConfig(text_config=text, vision_config=vision, projection_dim=WIDTH)
    )


@torch.no_grad()
def take_image_side(captioner: BlipForConditionalGeneration, clip: CLIPModel) -> None:
    """Copy CLIP's picture tower into the captioner's, in place.

    BLIP has no norm before the first layer and keeps queries, keys and values in one map; all else
    corresponds.
    """
    given = clip.vision_model.state_dict()
    wanted: dict[str, Tensor] = captioner.vision_model.state_dict()
    for name, value in wanted.items():
        source = name.replace("self_attn.projection", "self_attn.out_proj")
        if source == "embeddings.position_embedding":
            value.copy_(given["embeddings.position_embedding.weight"][None])
        elif source == "embeddings.class_embedding":
            value.copy_(given["embeddings.class_embedding"].view_as(value))
        elif source == "embeddings.patch_embedding.bias":
            value.zero_()
        elif ".qkv." in source:
            parts = [given[source.replace("qkv", f"{kind}_proj")] for kind in "qkv"]
            value.copy_(torch.cat(parts))
        else:
            value.copy_(given[source])
