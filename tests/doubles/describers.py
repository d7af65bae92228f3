"""Tiny captioners, rankers and taggers with random weights, in transformers' own layout."""

from __future__ import annotations

import string
from pathlib import Path

import torch
from tokenizers import pre_tokenizers
from transformers import (
    BartTokenizer,
    BertTokenizer,
    BlipConfig,
    BlipForConditionalGeneration,
    BlipImageProcessor,
    BlipProcessor,
    CLIPConfig,
    CLIPImageProcessor,
    CLIPModel,
    CLIPProcessor,
    CLIPTokenizer,
    Florence2Config,
    Florence2ForConditionalGeneration,
    Florence2Processor,
    ViTConfig,
    ViTForImageClassification,
    ViTImageProcessor,
)

WIDTH = 16
SIDE = 16
TOWER = {
    "hidden_size": WIDTH,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
}
EYE = {**TOWER, "image_size": SIDE, "patch_size": 8}
SQUARE = {"height": SIDE, "width": SIDE}
TAGS = (
    "tag_id,name,category,count\n1,general,9,9\n2,explicit,9,8\n3,red_apple,0,7\n4,miku_(v),4,6\n"
)


def save_blip(folder: Path, positions: int = 64) -> None:
    """Write a captioner of thirty-one tokens that was never trained, but never dull either."""
    specials = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
    tokens = [*specials, *string.ascii_lowercase]
    words = BertTokenizer(vocab={token: index for index, token in enumerate(tokens)})
    text = {
        **TOWER,
        "vocab_size": len(tokens),
        "max_position_embeddings": positions,
        "bos_token_id": 2,
        "sep_token_id": 3,
        "eos_token_id": 3,
        "pad_token_id": 0,
        "encoder_hidden_size": WIDTH,
        "initializer_range": 0.7,
    }
    config = BlipConfig(text_config=text, vision_config={**EYE, "initializer_range": 0.7})
    _drawn(BlipForConditionalGeneration, config).save_pretrained(folder)
    BlipProcessor(BlipImageProcessor(size=SQUARE), words).save_pretrained(folder)


def save_florence(folder: Path) -> None:
    """Write a Florence-2 of letters, in the layout that transformers' own class reads."""
    specials = ("<s>", "<pad>", "</s>", "<unk>", "<image>")
    tokens = [*specials, *sorted(pre_tokenizers.ByteLevel.alphabet())]
    vocabulary = {token: index for index, token in enumerate(tokens)}
    words = BartTokenizer(
        vocab=vocabulary, merges=[], extra_special_tokens={"image_token": "<image>"}
    )
    text = {
        "vocab_size": len(tokens),
        "d_model": WIDTH,
        "encoder_layers": 1,
        "decoder_layers": 1,
        "encoder_attention_heads": 2,
        "decoder_attention_heads": 2,
        "encoder_ffn_dim": 32,
        "decoder_ffn_dim": 32,
        "max_position_embeddings": 128,
        "bos_token_id": 0,
        "pad_token_id": 1,
        "eos_token_id": 2,
        "decoder_start_token_id": 2,
        "init_std": 0.7,
    }
    eye = {
        **dict.fromkeys(("depths", "num_heads", "num_groups"), (1, 1, 1, 1)),
        "embed_dim": (8, 8, 8, 8),
        "window_size": 4,
        "projection_dim": WIDTH,
        "drop_path_rate": 0.0,
        "initializer_range": 0.7,
    }
    image = vocabulary["<image>"]
    config = Florence2Config(text_config=text, vision_config=eye, image_token_id=image)
    _drawn(Florence2ForConditionalGeneration, config).save_pretrained(folder)
    images = CLIPImageProcessor(size={"height": 32, "width": 32}, do_center_crop=False)
    images.image_seq_length = 2  # one cell of 32 pixels, and their mean
    Florence2Processor(images, words).save_pretrained(folder)


def save_clip(folder: Path) -> None:
    """Write a ranker that knows letters; its end token is its last."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokens = [*letters, *(f"{letter}</w>" for letter in letters)]
    tokens += ["<|startoftext|>", "<|endoftext|>"]
    vocabulary = {token: index for index, token in enumerate(tokens)}
    words = CLIPTokenizer(vocab=vocabulary, merges=[], model_max_length=24)
    text = {
        **TOWER,
        "vocab_size": len(vocabulary),
        "max_position_embeddings": 24,
        "bos_token_id": words.bos_token_id,
        "eos_token_id": words.eos_token_id,
        "pad_token_id": words.pad_token_id,
    }
    config = CLIPConfig(text_config=text, vision_config=EYE, projection_dim=WIDTH)
    config.logit_scale_init_value = float(torch.tensor(100.0).log())
    _drawn(CLIPModel, config).save_pretrained(folder)
    images = CLIPImageProcessor(size={"shortest_edge": SIDE}, crop_size=SQUARE)
    CLIPProcessor(images, words).save_pretrained(folder)
    images.save_pretrained(folder)


def save_tagger(folder: Path, tags: str = TAGS, outputs: int = 4) -> None:
    """Write a tagger in transformers' layout with a WD tag file."""
    config = ViTConfig(**EYE, num_labels=outputs, initializer_range=0.7)
    _drawn(ViTForImageClassification, config).save_pretrained(folder)
    ViTImageProcessor(size=SQUARE).save_pretrained(folder)
    (folder / "selected_tags.csv").write_text(tags, encoding="utf-8")


def _drawn(kind, config):
    """Make a network whose random weights are always the same."""
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return kind(config).eval()
