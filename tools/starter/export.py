"""Assemble the trained models into one pack folder, float16, in the libraries' own layout.

Run: python -m tools.starter.export --work data/starter --pack inference/starter
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path
from typing import Any

from diffusers import AutoencoderKL, UNet2DConditionModel
from safetensors.torch import save_file
from transformers import (
    BlipForConditionalGeneration,
    BlipProcessor,
    CLIPImageProcessor,
    CLIPModel,
    CLIPTextModel,
    CLIPTokenizer,
)

from inference.model_files.files import INPAINT_DIR, UNET_FILE
from tools.starter.data import load
from tools.starter.train_inpaint import is_own
from tools.starter.train_unet import new_scheduler

MODEL_INDEX: dict[str, Any] = {
    "_class_name": "StableDiffusionPipeline",
    "_diffusers_version": "0.38.0",
    "vae": ["diffusers", "AutoencoderKL"],
    "text_encoder": ["transformers", "CLIPTextModel"],
    "tokenizer": ["transformers", "CLIPTokenizer"],
    "unet": ["diffusers", "UNet2DConditionModel"],
    "scheduler": ["diffusers", "DDIMScheduler"],
    "safety_checker": [None, None],
    "feature_extractor": [None, None],
    "image_encoder": [None, None],
    "requires_safety_checker": False,
}


def write_tokenizer(tokenizer: CLIPTokenizer, out: Path) -> None:
    """Write tokenizer.json, and the older pair vocab.json and merges.txt beside it."""
    tokenizer.save_pretrained(out)
    model = json.loads((out / "tokenizer.json").read_text())["model"]
    (out / "vocab.json").write_text(json.dumps(model["vocab"], ensure_ascii=False))
    merges = [m if isinstance(m, str) else " ".join(m) for m in model["merges"]]
    (out / "merges.txt").write_text("\n".join(["#version: 0.2", *merges]) + "\n")


def export_models(work: Path, vae: Path, pack: Path) -> list[str]:
    """Write every model that has been trained into the pack; return their folder names."""
    sources = {
        "vae": (AutoencoderKL, vae),
        "text_encoder": (CLIPTextModel, work / "unet" / "text_encoder"),
        "unet": (UNet2DConditionModel, work / "unet" / "unet"),
        "clip": (CLIPModel, work / "clip" / "clip"),
        "captioner": (BlipForConditionalGeneration, work / "captioner" / "captioner"),
    }
    written = []
    for name, (kind, folder) in sources.items():
        if not folder.exists():
            continue
        shutil.rmtree(pack / name, ignore_errors=True)
        model = kind.from_pretrained(folder).half()
        if hasattr(model, "register_to_config"):
            # The folder that a model was loaded from is no part of what it is.
            model.register_to_config(_name_or_path="")
        model.save_pretrained(pack / name)
        written.append(name)
    inpainting = work / "inpaint" / "unet_inpaint"
    if inpainting.exists():
        export_variant(UNet2DConditionModel.from_pretrained(inpainting).half(), pack)
        written.append(INPAINT_DIR)
    return written


def export_variant(unet: UNet2DConditionModel, pack: Path) -> None:
    """Write what the inpainting UNet does not share with the pack's own, in a folder within it."""
    folder = pack / INPAINT_DIR / "unet"
    shutil.rmtree(folder, ignore_errors=True)
    unet.register_to_config(_name_or_path="")
    unet.save_config(folder)
    own = {key: value.contiguous() for key, value in unet.state_dict().items() if is_own(key)}
    save_file(own, pack / INPAINT_DIR / UNET_FILE)


def main(arguments: list[str] | None = None) -> None:
    """Export from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("data/starter"))
    parser.add_argument("--work", type=Path, default=Path("data/starter"))
    parser.add_argument("--vae", type=Path, help="instead of WORK/vae/normalised")
    parser.add_argument("--pack", type=Path, default=Path("inference/starter"))
    options = parser.parse_args(arguments)
    work, pack = options.work, options.pack
    written = export_models(work, options.vae or work / "vae" / "normalised", pack)
    shutil.copy(work / "vae" / "normalised" / "preview.json", pack / "vae")
    CLIPImageProcessor.from_pretrained(work / "clip" / "clip").save_pretrained(pack / "clip")
    if "captioner" in written:
        processor = BlipProcessor.from_pretrained(work / "captioner" / "captioner")
        processor.save_pretrained(pack / "captioner")
    shutil.rmtree(pack / "tokenizer", ignore_errors=True)
    tokenizer = CLIPTokenizer.from_pretrained(work / "clip" / "tokenizer")
    write_tokenizer(tokenizer, pack / "tokenizer")
    write_tokenizer(tokenizer, pack / "clip")
    new_scheduler().save_pretrained(pack / "scheduler")
    (pack / "model_index.json").write_text(json.dumps(MODEL_INDEX, indent=2) + "\n")
    (pack / "concepts.json").write_text(json.dumps(load(options.data).concepts))
    size = sum(f.stat().st_size for f in pack.rglob("*.safetensors")) / 2**20
    print(f"wrote {', '.join(written)}: {size:.1f} MiB of weights")


if __name__ == "__main__":
    main()
