from __future__ import annotations

import json
from pathlib import Path

import pytest
from tokenizers import Tokenizer as Backend
from tokenizers import models, normalizers, pre_tokenizers, processors
from tokenizers.pre_tokenizers import ByteLevel
from transformers import CLIPTokenizer

from inference.prompts.chunks import Tokenizer
from inference.prompts.tokenizer import load_tokenizer

MERGES = [("c", "a"), ("ca", "t</w>"), ("d", "o"), ("do", "g</w>")]
PROMPT = "Cat,  doG café (a dog's 42)\n!"


def clip_folder(folder: Path, pad: str = "<|endoftext|>") -> Path:
    letters = sorted(ByteLevel.alphabet())
    words = [*letters, *(letter + "</w>" for letter in letters), *("".join(m) for m in MERGES)]
    words += ["<|startoftext|>", "<|endoftext|>"]
    vocabulary = {word: number for number, word in enumerate(words)}
    (folder / "vocab.json").write_text(json.dumps(vocabulary))
    (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(map(" ".join, MERGES)))
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "CLIPTokenizer", "model_max_length": 77, "pad_token": pad})
    )
    return folder


def word_folder(folder: Path) -> Path:
    words = ["<unk>", "<start>", "<end>", "red", "apple", "on", "white", "background"]
    backend = Backend(models.WordLevel({word: n for n, word in enumerate(words)}, "<unk>"))
    backend.normalizer = normalizers.Lowercase()
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    backend.post_processor = processors.TemplateProcessing(
        single="<start> $A <end>", special_tokens=[("<start>", 1), ("<end>", 2)]
    )
    backend.enable_padding(length=16, pad_id=2, pad_token="<end>")
    backend.enable_truncation(16)
    backend.save(str(folder / "tokenizer.json"))
    return folder


@pytest.fixture
def clip(tmp_path: Path) -> Tokenizer:
    return load_tokenizer(clip_folder(tmp_path))


@pytest.fixture
def words(tmp_path: Path) -> Tokenizer:
    return load_tokenizer(word_folder(tmp_path))


def test_clip_ids_are_the_librarys_own(tmp_path: Path, clip: Tokenizer) -> None:
    library = CLIPTokenizer.from_pretrained(str(tmp_path), local_files_only=True)

    assert library(PROMPT).input_ids == [clip.bos, *clip.ids(PROMPT), clip.eos]
    assert library(",", add_special_tokens=False).input_ids == [clip.comma]
    assert (library.pad_token_id, 77, 75) == (clip.pad, clip.length, clip.chunk_size)


def test_clip_pad_comes_from_the_folder(tmp_path: Path) -> None:
    library = CLIPTokenizer.from_pretrained(str(clip_folder(tmp_path, "!")), local_files_only=True)
    loaded = load_tokenizer(tmp_path)

    assert library.convert_tokens_to_ids("!") == loaded.pad
    assert loaded.eos != loaded.pad


@pytest.mark.parametrize("pad", ["!", "<|endoftext|>"])
def test_a_clip_tokenizer_saved_as_one_file_reads_the_same(tmp_path: Path, pad: str) -> None:
    target, clip = tmp_path / "saved", load_tokenizer(clip_folder(tmp_path, pad))
    CLIPTokenizer.from_pretrained(str(tmp_path), local_files_only=True).save_pretrained(target)
    for name in ("vocab.json", "merges.txt"):
        (target / name).unlink(missing_ok=True)

    loaded = load_tokenizer(target)

    assert clip.ids(PROMPT) == loaded.ids(PROMPT)
    assert (clip.bos, clip.eos, clip.pad) == (loaded.bos, loaded.eos, loaded.pad)
    assert (loaded.length, loaded.vocabulary) == (77, None)


def test_spelled_out_special_tokens_are_not_content(clip: Tokenizer) -> None:
    assert clip.ids("cat dog") == clip.ids("cat <|endoftext|> dog")


def test_a_word_level_tokenizer_says_what_it_knows(words: Tokenizer) -> None:
    assert (words.bos, words.eos, words.pad, words.length, words.chunk_size) == (1, 2, 2, 16, 14)
    assert words.vocabulary == frozenset({"red", "apple", "on", "white", "background"})
    assert words.comma is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Red apple", [3, 4]),
        ("red apple, on white-background!", [3, 4, 5, 6, 7]),
        ("red zebra", [3, 0]),
        (" , - ", []),
        ("<end> red", [0, 3]),
        ("red " * 40, [3] * 40),
    ],
)
def test_word_level_ids_ignore_punctuation(
    words: Tokenizer, text: str, expected: list[int]
) -> None:
    assert words.ids(text) == expected


def test_a_folder_without_a_tokenizer_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"vocab\.json"):
        load_tokenizer(tmp_path)
