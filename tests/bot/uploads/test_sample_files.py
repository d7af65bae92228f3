"""Files as the field's programs write them, each read for what it says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from bot.uploads.metadata import read_image_generation_info
from bot.uploads.png_chunks import decode_text
from inference.api.infotext.comment import decode_comment
from tests.bot.uploads.test_metadata import with_texts
from tests.doubles.images import encoded
from tests.inference.api.infotext.test_readers import COMFY, FOOOCUS

SAMPLES = Path(__file__).parent / "samples"
CHINESE = "一只红色的狐狸"
WORDS = f"{CHINESE}\nNegative prompt: blur\nSteps: 20, Sampler: Euler, CFG scale: 7, Seed: 5"


@pytest.mark.parametrize(
    ("name", "prompt", "negative", "values"),
    [
        ("text-chunk.png", CHINESE, "blurry, lowres", {"Seed": "123"}),
        ("packed.png", CHINESE, "blurry, lowres", {"Seed": "123"}),
        ("unicode-utf8.jpg", CHINESE, "blurry, lowres", {"Seed": "123"}),
        ("fooocus.jpg", "a red fox", "blurry", {"Seed": "123456", "Size": "1152x896"}),
        ("fooocus.webp", "a red fox", "blurry", {"Seed": "123456", "Size": "1152x896"}),
        ("fooocus-a1111.jpg", "a red fox", "blurry, lowres", {"Seed": "123"}),
        ("a1111.png", "a red fox", "blurry, lowres", {"Seed": "123"}),
        (
            "custom-advanced.png",
            "a red fox",
            "blurry, lowres",
            {
                "Seed": "42",
                "Steps": "25",
                "Sampler": "euler",
                "Schedule type": "karras",
                "CFG scale": "5.0",
            },
        ),
        ("custom.png", "a red fox", "blurry, lowres", {"Seed": "42", "Steps": "25"}),
        ("controlnet.png", "a red fox", "blurry, lowres", {"Seed": "110267"}),
        ("inpaint.png", "a red fox", "blurry, lowres", {"Seed": "110267"}),
        (
            "efficient.png",
            "a red fox <lora:ink:te=0.7:unet=0.8>",
            "blurry, lowres",
            {"Seed": "110267", "Clip skip": "2", "Model": "dream.safetensors"},
        ),
    ],
)
def test_a_file_says_how_it_was_made(name, prompt, negative, values):
    info = read_image_generation_info((SAMPLES / name).read_bytes())
    assert (info.prompt, info.negative) == (prompt, negative)
    assert {key: info.values.get(key) for key in values} == values
    assert "Not followed" not in info.values


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (CHINESE.encode(), CHINESE),
        (b"caf\xe9", "café"),
        (b"plain", "plain"),
        (CHINESE.encode()[:-1], CHINESE[:-1]),
        ("Ünïcode".encode(), "Ünïcode"),
    ],
)
def test_a_text_chunk_is_utf_8_where_it_can_be(text, expected):
    assert decode_text(text) == expected


@pytest.mark.parametrize(
    "comment",
    [
        b"UNICODE\0" + WORDS.encode(),
        b"UNICODE\0" + WORDS.encode() + b"\0\0",
        b"UNICODE\0\xef\xbb\xbf" + WORDS.encode(),
        b"UNICODE\0" + WORDS.encode("utf-16-le"),
        b"UNICODE\0" + WORDS.encode("utf-16-be"),
        b"UNICODE\0" + WORDS.encode("utf-16"),
        b"ASCII\0\0\0" + WORDS.encode(),
        b"\0" * 8 + WORDS.encode(),
    ],
)
def test_a_user_comment_in_every_encoding(comment):
    assert decode_comment(comment) == WORDS


@pytest.mark.parametrize("image_format", ["JPEG", "WEBP", "PNG"])
@pytest.mark.parametrize("directory", [None, 0x8769])
@pytest.mark.parametrize("text", [WORDS, json.dumps(FOOOCUS)])
def test_a_user_comment_in_either_directory(image_format, directory, text):
    exif = Image.Exif()
    exif[0x0131] = "a program"
    target = exif if directory is None else exif.get_ifd(directory)
    target[0x9286] = b"UNICODE\0" + text.encode("utf-16-be")
    data = encoded(Image.new("RGB", (8, 8)), image_format, exif=exif)
    assert read_image_generation_info(data).values["Seed"] in ("5", "123")


@pytest.mark.parametrize("prefix", ["prompt:", "Prompt: "])
@pytest.mark.parametrize("tag", [0x0110, 0x010F, 0x010E])
def test_comfyuis_own_webp(prefix, tag):
    exif = Image.Exif()
    exif[tag] = prefix + json.dumps(COMFY)
    data = encoded(Image.new("RGB", (8, 8)), "WEBP", exif=exif)
    assert read_image_generation_info(data).negative == "blur"


SWARM = {
    "sui_image_params": {
        "prompt": "a fox",
        "negativeprompt": "blur",
        "model": "OfficialStableDiffusion/base15",
        "seed": 1102676403634909,
        "steps": 20,
        "cfgscale": 7.0,
        "width": 512,
        "height": 768,
        "sampler": "dpmpp_2m",
        "scheduler": "karras",
        "clipstopatlayer": -2,
        "loras": ["styles/ink"],
        "loraweights": ["0.7"],
        "refinerupscale": 1.5,
        "refinercontrolpercentage": 0.4,
        "refinerupscalemethod": "pixel-lanczos",
        "swarm_version": "0.9.6",
    },
    "sui_extra_data": {"date": "2026-01-01"},
}


def test_swarmuis_json():
    info = read_image_generation_info(with_texts(parameters=json.dumps(SWARM)))
    assert (info.tool, info.prompt, info.negative) == ("SwarmUI", "a fox <lora:ink:0.7>", "blur")
    expected = {
        "Steps": "20",
        "Sampler": "dpmpp_2m",
        "Schedule type": "karras",
        "CFG scale": "7.0",
        "Seed": "1102676403634909",
        "Model": "OfficialStableDiffusion/base15",
        "Hires upscale": "1.5",
        "Hires upscaler": "lanczos",
        "Denoising strength": "0.4",
        "Clip skip": "2",
        "Size": "512x768",
        "RNG": "CPU",
    }
    assert dict(info.values) == expected


def test_a_graph_without_a_known_sampler_is_told_apart_from_nothing():
    graph = {"1": {"class_type": "SomeSampler", "inputs": {"text": "a fox"}}}
    info = read_image_generation_info(with_texts(prompt=json.dumps(graph)))
    assert (info.tool, info.is_unread, info.prompt) == ("ComfyUI", True, "")
