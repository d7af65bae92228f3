"""What a picture file says about how it was made, whichever tool of the field wrote it.

Known are the `parameters` text of the web UIs (PNG chunk, EXIF user comment in JPEG and WebP, a
GIF's comment), NovelAI's comment, ComfyUI's graph and the records of InvokeAI and SwarmUI. Nothing
else that a file carries (place, camera, time) is looked at.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping
from typing import Any

from PIL import Image

from bot.intake import stealth
from bot.intake.chunks import SIGNATURE, texts
from bot.pictures import BROKEN, FORMATS, pixels_only
from inference.infotext.comment import decode_comment
from inference.infotext.told import Told, read_told

EXIF_IFD, USER_COMMENT = 0x8769, 0x9286
TEXTS = ("parameters", "postprocessing", "extras", "sui_image_params", "invokeai_metadata")
NOVELAI = ("prompt", "uc", "steps", "scale", "sampler", "seed", "strength", "noise")
SAMPLING = ("seed", "noise_seed", "steps", "cfg", "sampler_name", "scheduler", "denoise")
LONGEST = 50_000  # characters shown


def read_parameters(data: bytes) -> str:
    """Return what a picture's file says about its making; empty where it says nothing."""
    try:
        return "\n\n".join(_found(*_told(data)))[:LONGEST]
    except (*BROKEN, Image.DecompressionBombError, Image.DecompressionBombWarning):
        return ""


def read_making(data: bytes) -> Told | None:
    """Read a picture's making in the web UIs' terms; None where its file says nothing of it."""
    try:
        info, comment = _told(data)
        texts = {str(key): value for key, value in info.items() if isinstance(value, str)}
        texts.setdefault("parameters", comment)
        return read_told(texts) or read_told({"stealth": stealth.read(data)})
    except (*BROKEN, Image.DecompressionBombError, Image.DecompressionBombWarning):
        return None


def _told(data: bytes) -> tuple[Mapping[Any, Any], str]:
    """Read a file's texts and its user comment; no pixel is decoded."""
    is_png = data.startswith(SIGNATURE)
    told: Mapping[Any, Any] = texts(data) if is_png else {}
    with Image.open(io.BytesIO(pixels_only(data)), formats=FORMATS) as picture:
        # Pillow would decode a PNG in search of EXIF that stands behind its pixels.
        seen = not is_png or "exif" in picture.info
        return told or picture.info, _user_comment(picture) if seen else ""


def _found(info: Mapping[str, Any], comment: str) -> Iterator[str]:
    told = [str(info[key]).strip() for key in TEXTS if isinstance(info.get(key), str)]
    yield from dict.fromkeys(text for text in (*told, comment) if text)
    if made := _novelai(_json(info.get("Comment"))):
        yield made
    if graph := _comfy(_json(info.get("prompt"))):
        yield graph


def _user_comment(picture: Image.Image) -> str:
    comment = picture.getexif().get_ifd(EXIF_IFD).get(USER_COMMENT)
    if isinstance(comment, str):
        return comment.strip("\0 ")
    if isinstance(comment, bytes):
        return decode_comment(comment)
    note = picture.info.get("comment") if picture.format == "GIF" else None
    return note.decode("utf-8", "replace").strip("\0 ") if isinstance(note, bytes) else ""


def _json(text: Any) -> Any:
    try:
        return json.loads(text) if isinstance(text, str) else None
    except (ValueError, RecursionError):
        return None


def _novelai(comment: Any) -> str:
    if not isinstance(comment, Mapping) or "prompt" not in comment:
        return ""
    return "NovelAI\n" + _lines({key: comment.get(key) for key in NOVELAI})


def _comfy(graph: Any) -> str:
    """Put the telling nodes of a graph into words: its texts, samplers and checkpoints."""
    if not isinstance(graph, Mapping):
        return ""
    parts = []
    for node in graph.values():
        inputs = node.get("inputs") if isinstance(node, Mapping) else None
        if not isinstance(inputs, Mapping):
            continue
        told = {key: inputs.get(key) for key in (*SAMPLING, "text", "ckpt_name", "lora_name")}
        plain = {key: value for key, value in told.items() if isinstance(value, str | int | float)}
        if plain:
            parts.append(f"{node.get('class_type', 'node')}\n{_lines(plain)}")
    return "ComfyUI\n" + "\n".join(parts) if parts else ""


def _lines(values: Mapping[str, Any]) -> str:
    return "\n".join(f"{key}: {value}" for key, value in values.items() if value is not None)
