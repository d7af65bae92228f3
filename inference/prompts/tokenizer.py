"""Tokenizers: a model folder's word list becomes what the grammar and the encoder need."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from transformers import CLIPTokenizer, PreTrainedTokenizerFast

from inference.prompts.chunks import Tokenizer

CLIP_LENGTH = 77  # tokens a row of every CLIP text encoder; folders may leave it unsaid
CLIP_FILES = ("vocab.json", "merges.txt")

_WORD_PATTERN = re.compile(r"[^\W_]+")


def load_tokenizer(folder: Path) -> Tokenizer:
    """Read a tokenizer folder from disk, never from the network.

    Takes CLIP's own layout (vocab.json and merges.txt) and a single tokenizer.json, byte-pair or
    word level.

    Raises: FileNotFoundError where the folder holds neither.
    """
    single = folder / "tokenizer.json"
    if single.is_file() and _is_word_level(single):
        return _wrap_word_level(
            PreTrainedTokenizerFast(tokenizer_file=str(single)).backend_tokenizer
        )
    if single.is_file() or all((folder / name).is_file() for name in CLIP_FILES):
        return _wrap_clip(CLIPTokenizer.from_pretrained(str(folder), local_files_only=True))
    message = f"{folder} holds no tokenizer: neither vocab.json with merges.txt nor tokenizer.json."
    raise FileNotFoundError(message)


def _is_word_level(single: Path) -> bool:
    layout = json.loads(single.read_text(encoding="utf-8"))
    return bool(layout["model"]["type"] == "WordLevel")


def _wrap_clip(clip_tokenizer: Any) -> Tokenizer:
    length = (
        clip_tokenizer.model_max_length if clip_tokenizer.model_max_length < 10_000 else CLIP_LENGTH
    )
    return _build_tokenizer(
        _content_tokenizer(
            clip_tokenizer.backend_tokenizer,
            {clip_tokenizer.bos_token_id, clip_tokenizer.eos_token_id},
        ),
        (clip_tokenizer.bos_token_id, clip_tokenizer.eos_token_id, clip_tokenizer.pad_token_id),
        length,
    )


def _wrap_word_level(backend: Any) -> Tokenizer:
    padding, truncation = backend.padding or {}, backend.truncation or {}
    bos, eos = backend.encode("").ids[:2]
    special = (bos, eos, padding.get("pad_id", eos))
    backend.no_padding()
    backend.no_truncation()
    ids = _content_tokenizer(backend, {bos, eos})
    vocabulary = frozenset(word for word in backend.get_vocab() if not word.startswith("<"))
    return _build_tokenizer(
        lambda text: ids(_strip_punctuation(text, vocabulary)),
        special,
        truncation.get("max_length", CLIP_LENGTH),
        vocabulary,
    )


def _build_tokenizer(
    ids: Callable[[str], list[int]],
    special: tuple[int, int, int],
    length: int,
    vocabulary: frozenset[str] | None = None,
) -> Tokenizer:
    comma = ids(",")
    return Tokenizer(ids, *special, length, comma[0] if len(comma) == 1 else None, vocabulary)


def _content_tokenizer(backend: Any, special: set[int]) -> Callable[[str], list[int]]:
    """Tokenise without start and end, also where a prompt spells their names out."""

    def tokenize(text: str) -> list[int]:
        token_ids = backend.encode(text, add_special_tokens=False).ids
        return [token for token in token_ids if token not in special]

    return tokenize


def _strip_punctuation(text: str, vocabulary: frozenset[str]) -> str:
    """Take punctuation off words that a word-level vocabulary knows only without it."""
    parts = (
        [word] if word in vocabulary else _WORD_PATTERN.findall(word)
        for word in text.lower().split()
    )
    return " ".join(part for word_parts in parts for part in word_parts)
