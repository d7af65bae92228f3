"""Build the starter pack's CLIPTokenizer: every caption word is one token.

Words that no caption has fall back to the pieces that the merges left on the way, down to letters.
The end token has the last id, where CLIPTextModel looks for the place to pool.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import CLIPTokenizer

from tools.starter.captions import COLOURS, STYLES

LENGTH = 32  # positions, start and end token counted in
START, END = "<|startoftext|>", "<|endoftext|>"
END_OF_WORD = "</w>"

PLAIN_WORDS = (
    *STYLES,
    *COLOURS,
    *[
        "style",
        "on",
        "background",
        "a",
        "an",
        "the",
        "of",
        "and",
        "with",
        "in",
        "left",
        "right",
        "next",
        "to",
        "above",
        "below",
        "emoji",
        "icon",
    ],
    *["picture", "drawing", "sticker", "simple", "cute", "small", "big", "brown"],
)
"""The words that captions use beside the names."""


def vocabulary_words(names: Iterable[str]) -> list[str]:
    """Return, sorted, every word that should be one token."""
    return sorted({word for name in names for word in name.split()} | set(PLAIN_WORDS))


def build_tokenizer(names: Iterable[str]) -> CLIPTokenizer:
    """Return a CLIPTokenizer in which each word of the names is one token."""
    words = vocabulary_words(names)
    trainer = trainers.BpeTrainer(
        vocab_size=1_000_000,  # never reached: merging ends when every word is whole
        min_frequency=1,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        end_of_word_suffix=END_OF_WORD,
        show_progress=False,
    )
    pieces = Tokenizer(models.BPE(end_of_word_suffix=END_OF_WORD))
    pieces.pre_tokenizer = pre_tokenizers.Whitespace()
    pieces.train_from_iterator(words, trainer)
    learned = _merges(pieces)
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokens = [*alphabet, *(letter + END_OF_WORD for letter in alphabet)]
    tokens += [left + right for left, right in learned]
    tokens += [START, END]
    vocabulary = {token: index for index, token in enumerate(dict.fromkeys(tokens))}
    return CLIPTokenizer(
        vocab=vocabulary,
        merges=learned,
        model_max_length=LENGTH,
        padding_side="right",
    )


def _merges(tokenizer: Tokenizer) -> list[tuple[str, str]]:
    """Return a trained tokenizer's merges in order of rank."""
    merges = json.loads(tokenizer.to_str())["model"]["merges"]
    return [
        tuple(merge) if isinstance(merge, list) else tuple(merge.split(" ")) for merge in merges
    ]


def encode(tokenizer: CLIPTokenizer, captions: list[str]) -> list[list[int]]:
    """Return token ids [len(captions), LENGTH], padded with the end token."""
    ids: list[list[int]] = tokenizer(
        captions, padding="max_length", truncation=True, max_length=LENGTH
    ).input_ids
    return ids
