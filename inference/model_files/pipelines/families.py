"""Folders of families by the classes that their settings name, those that are not run too."""

from __future__ import annotations

from pathlib import Path

from inference.model_files.errors import CorruptWeights, MissingWeights, UnsupportedWeights
from inference.model_files.files import PIPELINE_INDEX, is_folder, part_folder
from inference.model_files.json_files import read_json_object
from inference.model_files.pipelines.flow_families import find_flow_family

CONFIG_FILE = "config.json"
#: Beginnings of the classes of networks and pipelines in diffusers, longer ones first.
FAMILY_TITLES_BY_CLASS = {
    "Flux2": "a FLUX.2 model",
    "Flux": "a FLUX model",
    "Chroma": "a Chroma model",
    "SD3": "a Stable Diffusion 3 model",
    "StableDiffusion3": "a Stable Diffusion 3 model",
    "ZImage": "a Z-Image model",
    "QwenImage": "a Qwen-Image model",
    "AuraFlow": "an AuraFlow model",
    "PixArt": "a PixArt model",
    "Sana": "a Sana model",
    "Lumina": "a Lumina model",
    "HiDream": "a HiDream model",
    "HunyuanDiT": "a Hunyuan-DiT model",
    "HunyuanImage": "a HunyuanImage model",
    "HunyuanVideo": "a HunyuanVideo model",
    "CogView": "a CogView model",
    "CogVideoX": "a CogVideoX model",
    "Wan": "a Wan video model",
    "LTX": "an LTX video model",
    "Mochi": "a Mochi video model",
    "Kolors": "a Kolors model",
    "Kandinsky": "a Kandinsky model",
    "StableCascade": "a Stable Cascade model",
    "Wuerstchen": "a Würstchen model",
    "IF": "a DeepFloyd IF model",
}


def read_class_name(folder: Path) -> str:
    """Read which class a folder in diffusers' layout says that its network, or it itself, is.

    Empty where it does not say.
    """
    places = (part_folder(folder, "transformer") / CONFIG_FILE, folder / PIPELINE_INDEX)
    for path in places:
        try:
            name = read_json_object(path, folders=2).get("_class_name")
        except (MissingWeights, CorruptWeights):
            continue
        if isinstance(name, str) and name:
            return name
    return ""


def check_family(folder: Path) -> None:
    """See that a folder has the network of the families that are run.

    Raises:
        UnsupportedWeights: it has another, which the message names.
    """
    if is_folder(part_folder(folder, "unet")) or find_flow_family(folder) is not None:
        return
    class_name = read_class_name(folder)
    title = next(
        (
            title
            for beginning, title in FAMILY_TITLES_BY_CLASS.items()
            if class_name.startswith(beginning)
        ),
        f"a model of the class {class_name[:40]}" if class_name else "a model of an unnamed class",
    )
    raise UnsupportedWeights("weights.family", name=folder.name, title=title)
