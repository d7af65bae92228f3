from __future__ import annotations

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from bot.delivery.compression import compress_to_limit
from bot.uploads.metadata import read_image_generation_text
from tests.doubles.images import encoded, noise, png, text_bomb

WORDS = "a red apple, 水彩\nNegative prompt: blur\nSteps: 20, Seed: 7"


def with_texts(**texts: str) -> bytes:
    info = PngInfo()
    for key, text in texts.items():
        info.add_itxt(key, text)
    return encoded(Image.new("RGB", (8, 8)), "PNG", pnginfo=info)


def test_the_field_keeps_it_in_a_png_text():
    assert read_image_generation_text(with_texts(parameters=WORDS)) == WORDS


@pytest.mark.parametrize("limit", [60_000, 20_000])
def test_what_delivery_packs_can_be_read_back(limit):
    packed = compress_to_limit(encoded(noise((200, 200))), limit, WORDS)
    assert packed.suffix in ("webp", "jpg")
    assert read_image_generation_text(packed.data) == WORDS


def test_a_gif_keeps_it_in_its_comment():
    data = encoded(Image.new("RGB", (8, 8)), "GIF", comment=WORDS.encode())
    assert read_image_generation_text(data) == WORDS


def test_a_user_comment_need_not_say_its_code():
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9286] = WORDS.encode()
    assert read_image_generation_text(encoded(Image.new("RGB", (8, 8)), "JPEG", exif=exif)) == WORDS


def test_novelai_keeps_json():
    comment = json.dumps({"prompt": "a cat", "uc": "blur", "steps": 28, "seed": 5})
    found = read_image_generation_text(with_texts(Comment=comment))
    assert found.splitlines() == ["NovelAI", "prompt: a cat", "uc: blur", "steps: 28", "seed: 5"]


def test_comfy_keeps_a_graph():
    graph = {
        "3": {"class_type": "KSampler", "inputs": {"seed": 5, "steps": 20, "model": ["4", 0]}},
        "4": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "sd.safetensors"}},
        "6": {"class_type": "CLIPTextEncode", "inputs": {"text": "a cat", "clip": ["4", 1]}},
        "9": {"class_type": "SaveImage", "inputs": {"images": ["8", 0]}},
    }
    found = read_image_generation_text(with_texts(prompt=json.dumps(graph), workflow="{}"))
    assert found.splitlines() == [
        "ComfyUI",
        "KSampler",
        "seed: 5",
        "steps: 20",
        "CheckpointLoaderSimple",
        "ckpt_name: sd.safetensors",
        "CLIPTextEncode",
        "text: a cat",
    ]


@pytest.mark.parametrize(
    "texts",
    [
        {},
        {"Comment": "made with a brush"},
        {"Comment": "[" * 100_000},
        {"prompt": '{"1": 5, "2": {"inputs": []}}'},
        {"Author": "ada"},
    ],
)
def test_what_says_nothing(texts):
    assert read_image_generation_text(with_texts(**texts)) == ""


def test_place_and_camera_are_not_looked_at():
    exif = Image.Exif()
    exif[0x010F] = "Camera"
    exif.get_ifd(0x8825)[1] = "N"
    assert read_image_generation_text(encoded(Image.new("RGB", (8, 8)), "JPEG", exif=exif)) == ""


@pytest.mark.parametrize("data", [b"", b"words", png()[:40], text_bomb(70)])
def test_what_is_no_picture_says_nothing(data):
    assert read_image_generation_text(data) == ""


@given(st.binary(max_size=200), st.integers(0, 60))
def test_damage_is_survived(junk, at):
    data = with_texts(parameters=WORDS)
    damaged = io.BytesIO(data)
    damaged.seek(at)
    damaged.write(junk)
    assert isinstance(read_image_generation_text(damaged.getvalue()), str)
