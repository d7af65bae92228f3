"""What a picture file says about how it was made, whichever tool of the field wrote it.

Known are the `parameters` text of the web UIs (PNG chunk, EXIF user comment in JPEG and WebP, a
GIF's comment), NovelAI's comment, ComfyUI's graph (PNG chunk, EXIF of its WebP) and the records of
InvokeAI and SwarmUI. Nothing else that a file carries (place, camera, time) is looked at.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from PIL import ExifTags, Image

from bot.uploads import stealth_pnginfo
from bot.uploads.png_chunks import PNG_SIGNATURE, read_png_texts
from bot.uploads.validation import ALLOWED_FORMATS, DECODE_ERRORS, strip_metadata
from inference.api.infotext.comment import decode_comment
from inference.api.infotext.readers import GenerationInfo, read_generation_info

INFO_TEXT_KEYS = ("parameters", "postprocessing", "extras", "sui_image_params", "invokeai_metadata")
NOVELAI_KEYS = ("prompt", "uc", "steps", "scale", "sampler", "seed", "strength", "noise")
COMFY_SAMPLING_KEYS = ("seed", "noise_seed", "steps", "cfg", "sampler_name", "scheduler", "denoise")
READ_ERRORS = (
    *DECODE_ERRORS,
    Image.DecompressionBombError,
    Image.DecompressionBombWarning,
    MemoryError,
)
NAMED_TEXT_PATTERN = re.compile(r"(prompt|workflow)\s*:\s*(?=\{)", re.IGNORECASE)
MAX_SHOWN_CHARACTERS = 50_000  # characters shown


def read_image_generation_text(data: bytes) -> str:
    """Return what a picture's file says about its making; empty where it says nothing."""
    try:
        return "\n\n".join(_iter_descriptions(*_read_file_texts(data)))[:MAX_SHOWN_CHARACTERS]
    except READ_ERRORS:
        return ""


def read_image_generation_info(data: bytes) -> GenerationInfo | None:
    """Read a picture's making in the web UIs' terms; None where its file says nothing of it."""
    try:
        info, comment = _read_file_texts(data)
        texts = {str(key): value for key, value in info.items() if isinstance(value, str)}
        if comment:
            texts.setdefault("parameters", comment)
        generation_info = read_generation_info(texts)
        if generation_info is not None and not generation_info.is_unread:
            return generation_info
        hidden_texts = {"stealth": stealth_pnginfo.read_hidden_text(data)}
        return read_generation_info(hidden_texts) or generation_info
    except READ_ERRORS:
        return None


def _read_file_texts(data: bytes) -> tuple[Mapping[Any, Any], str]:
    """Read a file's texts and its user comment; no pixel is decoded."""
    is_png = data.startswith(PNG_SIGNATURE)
    text_chunks: Mapping[Any, Any] = read_png_texts(data) if is_png else {}
    with Image.open(io.BytesIO(strip_metadata(data)), formats=ALLOWED_FORMATS) as image:
        # Pillow would decode a PNG in search of EXIF that stands behind its pixels.
        if is_png and "exif" not in image.info:
            return text_chunks or image.info, ""
        exif = image.getexif()
        texts = {**_named_texts(exif), **(text_chunks or image.info)}
        return texts, _user_comment(exif) or _gif_comment(image)


def _iter_descriptions(info: Mapping[str, Any], comment: str) -> Iterator[str]:
    descriptions = [
        str(info[key]).strip() for key in INFO_TEXT_KEYS if isinstance(info.get(key), str)
    ]
    yield from dict.fromkeys(text for text in (*descriptions, comment) if text)
    if novelai_text := _format_novelai(_parse_json(info.get("Comment"))):
        yield novelai_text
    if graph := _format_comfy_graph(_parse_json(info.get("prompt"))):
        yield graph


def _user_comment(exif: Image.Exif) -> str:
    """Read the user comment: of the EXIF directory, or of the first one, where Fooocus puts it."""
    for directory in (exif.get_ifd(ExifTags.IFD.Exif), exif):
        comment = directory.get(ExifTags.Base.UserComment)
        if isinstance(comment, bytes):
            return decode_comment(comment)
        if isinstance(comment, str):
            return comment.strip("\0 ")
    return ""


def _named_texts(exif: Image.Exif) -> dict[str, str]:
    """Read the texts of the first directory that begin with their own name, as ComfyUI's WebP has.

    A tag's own meaning (camera, author) is not looked at.
    """
    texts: dict[str, str] = {}
    for value in exif.values():
        if isinstance(value, str) and (name := NAMED_TEXT_PATTERN.match(value)):
            texts.setdefault(name[1].lower(), value[name.end() :])
    return texts


def _gif_comment(image: Image.Image) -> str:
    note = image.info.get("comment") if image.format == "GIF" else None
    return note.decode("utf-8", "replace").strip("\0 ") if isinstance(note, bytes) else ""


def _parse_json(text: Any) -> Any:
    try:
        return json.loads(text) if isinstance(text, str) else None
    except (ValueError, RecursionError):
        return None


def _format_novelai(comment: Any) -> str:
    if not isinstance(comment, Mapping) or "prompt" not in comment:
        return ""
    return "NovelAI\n" + _format_lines({key: comment.get(key) for key in NOVELAI_KEYS})


def _format_comfy_graph(graph: Any) -> str:
    """Put the telling nodes of a graph into words: its texts, samplers and checkpoints."""
    if not isinstance(graph, Mapping):
        return ""
    parts = []
    for node in graph.values():
        inputs = node.get("inputs") if isinstance(node, Mapping) else None
        if not isinstance(inputs, Mapping):
            continue
        node_values = {
            key: inputs.get(key) for key in (*COMFY_SAMPLING_KEYS, "text", "ckpt_name", "lora_name")
        }
        plain = {
            key: value for key, value in node_values.items() if isinstance(value, str | int | float)
        }
        if plain:
            parts.append(f"{node.get('class_type', 'node')}\n{_format_lines(plain)}")
    return "ComfyUI\n" + "\n".join(parts) if parts else ""


def _format_lines(values: Mapping[str, Any]) -> str:
    return "\n".join(f"{key}: {value}" for key, value in values.items() if value is not None)
