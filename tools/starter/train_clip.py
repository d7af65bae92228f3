"""Train CLIP: transformers' CLIPModel on pictures and captions; its text tower goes to the UNet.

Run: python -m tools.starter.train_clip --minutes 15 [--init FOLDER]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn import functional
from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel, CLIPTokenizer

from tools.starter.data import load
from tools.starter.scenes import Chances, scenes, stacked
from tools.starter.training import Draw, add_arguments, fit, groups_of, plan_of
from tools.starter.vocabulary import END_OF_WORD, LENGTH, build_tokenizer, encode

WIDTH = 192
BATCH = 192
LEARNING_RATE = 1e-3
LARGEST_LOGIT_SCALE = 4.6  # e^4.6 = 100, as in the CLIP paper (Radford et al. 2021, section 2.5)
PIECES = 0.1  # of merges skipped in training, so that the pieces of words learn meanings too
CHANCES = Chances(recoloured=0.08, pair=0.04)


def new_clip(tokenizer: CLIPTokenizer) -> CLIPModel:
    """Return an untrained CLIP of the starter pack's shape for this tokenizer."""
    tower = {"hidden_size": WIDTH, "intermediate_size": 4 * WIDTH, "num_attention_heads": 4}
    text = {
        **tower,
        "num_hidden_layers": 4,
        "vocab_size": len(tokenizer),
        "max_position_embeddings": LENGTH,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
        "projection_dim": WIDTH,
    }
    vision = {
        **tower,
        "num_hidden_layers": 5,
        "image_size": 128,
        "patch_size": 16,
        "projection_dim": WIDTH,
    }
    return CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=WIDTH))


def image_processor() -> CLIPImageProcessor:
    """Return the preprocessing that matches training: 128 pixels, values in -1 to 1."""
    return CLIPImageProcessor(
        size={"shortest_edge": 128},
        crop_size={"height": 128, "width": 128},
        image_mean=[0.5] * 3,
        image_std=[0.5] * 3,
    )


@torch.no_grad()
def warm_start(clip: CLIPModel, weights: Path, vocabulary: Path, tokenizer: CLIPTokenizer) -> int:
    """Copy every tensor that fits from an earlier CLIP; return how many words were recognised.

    weights: a clip folder. vocabulary: the tokenizer folder it was trained with; token rows are
    carried over by the token's text, so the vocabularies may differ. Earlier positions beyond
    LENGTH are cut off.
    """
    old = {
        k.replace(".text_model.", "."): v
        for k, v in load_file(weights / "model.safetensors").items()
    }
    old_ids = Tokenizer.from_file(str(vocabulary / "tokenizer.json")).get_vocab()
    specials = {"<start>": tokenizer.bos_token, "<end>": tokenizer.eos_token}
    found = 0
    for name, parameter in clip.named_parameters():
        value = old[name].float()
        if name.endswith("token_embedding.weight"):
            new_ids = tokenizer.get_vocab()
            for token, row in old_ids.items():
                token = specials.get(token, token)
                new = new_ids.get(token, new_ids.get(token + END_OF_WORD))
                if new is not None:
                    parameter[new] = value[row]
                    found += 1
        elif name.endswith("text_model.embeddings.position_embedding.weight"):
            parameter.copy_(value[:LENGTH])
        elif value.shape == parameter.shape:
            parameter.copy_(value)
    return found


def main(arguments: list[str] | None = None) -> None:
    """Train from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_arguments(parser, "clip")
    parser.add_argument("--init", type=Path, help="a pack with clip/ and tokenizer/ to go on from")
    options = parser.parse_args(arguments)
    plan = plan_of(options)
    dataset = load(options.data)
    rows = dataset.training_rows(concepts_only=True)
    tokenizer = build_tokenizer(dataset.names)
    torch.manual_seed(plan.seed)  # the initial weights alone come from the global generator
    clip = new_clip(tokenizer)
    if options.init:
        found = warm_start(clip, options.init / "clip", options.init / "tokenizer", tokenizer)
        print(f"{found} tokens carried over", flush=True)
    clip = clip.to(plan.device).train()
    size = options.batch or BATCH
    whole, pieces = encode, build_tokenizer(dataset.names)
    pieces.backend_tokenizer.model.dropout = PIECES

    def save(out: Path) -> None:
        clip.save_pretrained(out / "clip")
        image_processor().save_pretrained(out / "clip")
        tokenizer.save_pretrained(out / "tokenizer")

    def loss(draw: Draw) -> tuple[Tensor, dict[str, float]]:
        chosen = draw.choice.choice(rows, min(size, len(rows)), replace=False)
        drawn = scenes(dataset, chosen, rows, draw.choice, CHANCES)
        captions = [s.caption(draw.choice) for s in drawn]
        ids = torch.tensor(whole(pieces if draw.step % 4 == 3 else tokenizer, captions))
        with torch.autocast(plan.device.type, torch.bfloat16):
            output = clip(
                input_ids=ids.to(plan.device), pixel_values=stacked(drawn).to(plan.device)
            )
        logits = output.logits_per_image.float()
        wanted = torch.arange(len(logits), device=plan.device)
        total = functional.cross_entropy(logits, wanted) + functional.cross_entropy(
            logits.T, wanted
        )
        with torch.no_grad():
            clip.logit_scale.clamp_(max=LARGEST_LOGIT_SCALE)
            right = (logits.argmax(1) == wanted).float().mean().item()
        return total / 2, {"top1": right}

    rate = options.learning_rate or LEARNING_RATE
    fit(clip, loss, groups_of(clip, rate), plan, save, weight_decay=0.05)


if __name__ == "__main__":
    main()
