from __future__ import annotations

import hashlib

import pytest
import torch
from safetensors.torch import save, save_file

from inference.diffusion.lora.catalog import LoraCatalog
from inference.diffusion.lora.network_hashes import NetworkHashes
from inference.model_files.files import ModelFolder
from inference.model_files.hashes import FileHashes

WEIGHTS = {"lora_unet_x.lora_down.weight": torch.ones(2, 3)}


@pytest.fixture
def shelf(tmp_path):
    for folder in ("loras", "embeddings"):
        (tmp_path / folder).mkdir()
    save_file(WEIGHTS, tmp_path / "loras" / "ink.safetensors", {"note": "any"})
    stated = {"sshs_model_hash": "abcdef0123456789"}
    save_file(WEIGHTS, tmp_path / "loras" / "line.safetensors", stated)
    (tmp_path / "loras" / "broken.safetensors").write_bytes(b"no")
    save_file({"emb_params": torch.ones(1, 4)}, tmp_path / "embeddings" / "Easy.safetensors")
    return tmp_path


def make_hashes(shelf):
    folder, hashes = ModelFolder(shelf), FileHashes(shelf / "hashes.json")
    return NetworkHashes(folder, hashes, LoraCatalog(folder, hashes, shelf / "loras.json"))


def test_hashes_are_those_that_the_field_prints(shelf):
    data = save(WEIGHTS)
    body = data[8 + int.from_bytes(data[:8], "little") :]
    file = (shelf / "embeddings" / "Easy.safetensors").read_bytes()
    networks = make_hashes(shelf)

    expected = {
        "Lora hashes": f"ink: {hashlib.sha256(body).hexdigest()[:12]}, line: abcdef012345",
        "TI hashes": f"Easy: {hashlib.sha256(file).hexdigest()[:10]}",
    }
    assert networks.infotext_hashes("a fox <lora:ink:0.5> <lora:line:1>", "easy, blur") == expected


@pytest.mark.parametrize(
    "prompt",
    [
        "a fox",
        "uneasy",
        "<lora:broken:1>",
        "<lora:gone:1>",
        "<lora:ink:x>",
        "<lora:>",
        "<hypernet:Easy:1>",
    ],
)
def test_what_is_not_used_or_not_here_is_not_named(shelf, prompt):
    assert make_hashes(shelf).infotext_hashes(prompt, "<lora:ink:1>") == {}


def test_an_embedding_that_stays_a_word_is_not_named(shelf):
    hashes = make_hashes(shelf).infotext_hashes("easy", "", unused_words={"Easy"})

    assert hashes == {}
