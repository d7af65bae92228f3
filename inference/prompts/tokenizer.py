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

_WORD = re.compile(r"[^\W_]+")


def load_tokenizer(folder: Path) -> Tokenizer:
    """Read a tokenizer folder from disk, never from the network.

    Takes CLIP's own layout (vocab.json and merges.txt) and a single tokenizer.json, byte-pair or
    word level.

    Raises: FileNotFoundError where the folder holds neither.
    """
    single = folder / "tokenizer.json"
    if single.is_file() and _is_word_level(single):
        return _words(PreTrainedTokenizerFast(tokenizer_file=str(single)).backend_tokenizer)
    if single.is_file() or all((folder / name).is_file() for name in CLIP_FILES):
        return _clip(CLIPTokenizer.from_pretrained(str(folder), local_files_only=True))
    message = f"{folder} holds no tokenizer: neither vocab.json with merges.txt nor tokenizer.json."
    raise FileNotFoundError(message)


def _is_word_level(single: Path) -> bool:
    layout = json.loads(single.read_text(encoding="utf-8"))
    return bool(layout["model"]["type"] == "WordLevel")


def _clip(loaded: Any) -> Tokenizer:
    length = loaded.model_max_length if loaded.model_max_length < 10_000 else CLIP_LENGTH
    return _tokenizer(
        _content(loaded.backend_tokenizer, {loaded.bos_token_id, loaded.eos_token_id}),
        (loaded.bos_token_id, loaded.eos_token_id, loaded.pad_token_id),
        length,
    )


def _words(backend: Any) -> Tokenizer:
    padding, truncation = backend.padding or {}, backend.truncation or {}
    bos, eos = backend.encode("").ids[:2]
    special = (bos, eos, padding.get("pad_id", eos))
    backend.no_padding()
    backend.no_truncation()
    ids = _content(backend, {bos, eos})
    words = frozenset(word for word in backend.get_vocab() if not word.startswith("<"))
    return _tokenizer(
        lambda text: ids(_separate(text, words)),
        special,
        truncation.get("max_length", CLIP_LENGTH),
        words,
    )


def _tokenizer(
    ids: Callable[[str], list[int]],
    special: tuple[int, int, int],
    length: int,
    words: frozenset[str] | None = None,
) -> Tokenizer:
    comma = ids(",")
    return Tokenizer(ids, *special, length, comma[0] if len(comma) == 1 else None, words)


def _content(backend: Any, special: set[int]) -> Callable[[str], list[int]]:
    """Tokenise without start and end, also where a prompt spells their names out."""

    def ids(text: str) -> list[int]:
        found = backend.encode(text, add_special_tokens=False).ids
        return [token for token in found if token not in special]

    return ids


def _separate(text: str, words: frozenset[str]) -> str:
    """Take punctuation off words that a word-level vocabulary knows only without it."""
    parts = ([word] if word in words else _WORD.findall(word) for word in text.lower().split())
    return " ".join(part for found in parts for part in found)
