"""ComfyUI's graphs: which way a text goes, and what is said where the way is not known."""

from __future__ import annotations

import json

import pytest

from inference.api.infotext.readers import GenerationInfo, read_generation_info
from inference.api.infotext.to_job import job_from_info
from tests.inference.api.infotext.test_readers import COMFY

SAMPLER = {
    "seed": 2**63 + 5,
    "steps": 20,
    "cfg": 8.0,
    "sampler_name": "euler",
    "scheduler": "normal",
    "denoise": 1.0,
    "model": ["4", 0],
    "positive": ["6", 0],
    "negative": ["7", 0],
    "latent_image": ["5", 0],
}
FOX = {"class_type": "CLIPTextEncode", "inputs": {"text": "a fox", "clip": ["4", 1]}}
BLUR = {"class_type": "CLIPTextEncode", "inputs": {"text": "blur", "clip": ["4", 1]}}
SNOW = {"class_type": "CLIPTextEncode", "inputs": {"text": "snow", "clip": ["4", 1]}}
PLAIN = {
    "4": COMFY["4"],
    "5": COMFY["5"],
    "6": FOX,
    "7": BLUR,
    "3": {"class_type": "KSampler", "inputs": SAMPLER},
}


def node(class_type, **inputs):
    return {"class_type": class_type, "inputs": inputs}


def read(sampler=None, **nodes) -> GenerationInfo:
    changed = {name.removeprefix("n"): value for name, value in nodes.items()}
    graph = {**PLAIN, "3": node("KSampler", **{**SAMPLER, **(sampler or {})}), **changed}
    info = read_generation_info({"prompt": json.dumps(graph)})
    assert info is not None
    return info


BOTH_SIDES = {"positive": ["20", 0], "negative": ["20", 1]}


@pytest.mark.parametrize(
    "class_type",
    ["ControlNetApplyAdvanced", "InpaintModelConditioning", "SomebodysNode", "ControlNetApplySD3"],
)
def test_each_output_goes_on_along_its_own_side(class_type):
    info = read(BOTH_SIDES, n20=node(class_type, positive=["6", 0], negative=["7", 0]))
    assert (info.prompt, info.negative) == ("a fox", "blur")


def test_outputs_count_not_the_side_that_asked():
    swapped = {"positive": ["20", 1], "negative": ["20", 0]}
    info = read(swapped, n20=node("ControlNetApplyAdvanced", positive=["6", 0], negative=["7", 0]))
    assert (info.prompt, info.negative) == ("blur", "a fox")


def test_one_behind_the_other():
    info = read(
        {"positive": ["21", 0], "negative": ["21", 1]},
        n20=node("ControlNetApplyAdvanced", positive=["6", 0], negative=["7", 0]),
        n21=node("InpaintModelConditioning", positive=["20", 0], negative=["20", 1]),
    )
    assert (info.prompt, info.negative) == ("a fox", "blur")


@pytest.mark.parametrize(
    "joining",
    [
        node("SomebodysJoiner", first=["6", 0], second=["7", 0]),
        node("SomebodysPipe", pipe=["6", 0], positive="a fox", negative="blur"),
    ],
)
def test_where_the_way_is_not_known_nothing_is_said_and_that_is_noted(joining):
    info = read({"negative": ["20", 0]}, n20=joining)
    assert (info.prompt, info.negative) == ("a fox", "")
    assert info.values["Not followed"] == "negative prompt"
    assert any("negative prompt" in str(note) for note in job_from_info(info, ()).notes)


@pytest.mark.parametrize(
    ("joining", "positive", "negative"),
    [
        (
            node("ConditioningCombine", conditioning_1=["6", 0], conditioning_2=["8", 0]),
            "a fox :0.5 AND snow :0.5",
            "a fox, snow",
        ),
        (
            node("ConditioningConcat", conditioning_to=["6", 0], conditioning_from=["8", 0]),
            "a fox BREAK snow",
            "a fox BREAK snow",
        ),
        (
            node("ConditioningAverage", conditioning_to=["6", 0], conditioning_from=["8", 0]),
            "a fox, snow",
            "a fox, snow",
        ),
        (node("ConditioningSetTimestepRange", conditioning=["6", 0], start=0), "a fox", "a fox"),
        (node("ConditioningZeroOut", conditioning=["6", 0]), "", ""),
        (node("Reroute", **{"": ["6", 0]}), "a fox", "a fox"),
    ],
)
def test_texts_that_are_joined_as_conditionings(joining, positive, negative):
    assert read({"positive": ["20", 0]}, n8=SNOW, n20=joining).prompt == positive
    assert read({"negative": ["20", 0]}, n8=SNOW, n20=joining).negative == negative


@pytest.mark.parametrize(
    ("joining", "text"),
    [
        (node("StringConcatenate", string_a="a", string_b="fox", delimiter=", "), "a, fox"),
        (node("Text Concatenate", text_a=["30", 0], text_b="snow", delimiter=" "), "a fox snow"),
        (node("JoinStrings", string1="a fox", string2="snow", delimiter="\\n"), "a fox\nsnow"),
        (node("PrimitiveStringMultiline", value="a fox"), "a fox"),
        (node("ShowText|pysssss", text=["30", 0], text_0="a fox"), "a fox"),
        (node("ImpactWildcardProcessor", wildcard_text="__a__", populated_text="a fox"), "a fox"),
    ],
)
def test_texts_that_are_joined_as_words(joining, text):
    info = read(
        n6=node("CLIPTextEncode", text=["20", 0], clip=["4", 1]),
        n20=joining,
        n30=node("PrimitiveString", value="a fox"),
    )
    assert (info.prompt, info.negative) == (text, "blur")


def test_sdxls_two_texts():
    encoder = node("CLIPTextEncodeSDXL", text_g="a fox", text_l="snow", clip=["4", 1])
    assert read(n6=encoder).prompt == "a fox, snow"
    encoder["inputs"]["text_l"] = "a fox"
    assert read(n6=encoder).prompt == "a fox"


@pytest.mark.parametrize(
    ("loader", "tags"),
    [
        (
            node("LoraLoader", lora_name="a/ink.safetensors", strength_model=0.7, strength_clip=0.5,
                 model=["4", 0], clip=["4", 1]),
            "<lora:ink:te=0.5:unet=0.7>",
        ),
        (
            node("LoraLoaderModelOnly", lora_name="ink.safetensors", strength_model=0.7,
                 model=["4", 0]),
            "<lora:ink:te=0:unet=0.7>",
        ),
        (
            node("LoraLoader|pysssss", lora_name={"content": "ink.safetensors"}, strength_model=1,
                 strength_clip=1, model=["4", 0], clip=["4", 1]),
            "<lora:ink:te=1:unet=1>",
        ),
        (
            node("Power Lora Loader (rgthree)", lora_1={"on": True, "lora": "ink.safetensors",
                 "strength": 0.7}, lora_2={"on": False, "lora": "no.safetensors", "strength": 1},
                 lora_3={"on": True, "lora": "line.safetensors", "strength": 1,
                         "strengthTwo": 0.5}, model=["4", 0], clip=["4", 1]),
            "<lora:ink:te=0.7:unet=0.7> <lora:line:te=0.5:unet=1>",
        ),
        (
            node("CR Apply LoRA Stack", model=["4", 0], clip=["4", 1], lora_stack=["21", 0]),
            "<lora:ink:te=0.6:unet=0.7>",
        ),
        (node("Efficient Loader", lora_name="None", model=["4", 0]), ""),
    ],
)  # fmt: skip
def test_loras_of_every_loader(loader, tags):
    stack = node(
        "CR LoRA Stack",
        switch_1="On",
        lora_name_1="ink.safetensors",
        model_weight_1=0.7,
        clip_weight_1=0.6,
        switch_2="Off",
        lora_name_2="no.safetensors",
        model_weight_2=1,
        clip_weight_2=1,
    )
    info = read({"model": ["20", 0]}, n20=loader, n21=stack)
    assert info.prompt == f"a fox {tags}".strip()


def test_a_seed_from_a_node_of_its_own_is_exact():
    info = read({"seed": ["20", 0]}, n20=node("Seed (rgthree)", seed=2**64 - 1))
    assert job_from_info(info, ()).job.seed == 2**64 - 1


def test_what_repaints_a_part_is_no_pass():
    detailer = node(
        "FaceDetailer", guide_size=384, seed=9, steps=9, cfg=7, sampler_name="lms",
        scheduler="normal", denoise=0.5, positive=["6", 0], negative=["7", 0], image=["9", 0],
        model=["4", 0],
    )  # fmt: skip
    info = read(n9=node("VAEDecode", samples=["3", 0]), n10=detailer)
    assert (info.values["Sampler"], "Hires steps" in info.values) == ("euler", False)
    assert "FaceDetailer" in info.values["Other nodes"]


def test_a_second_pass_with_settings_of_its_own():
    second = node(
        "KSampler",
        **{**SAMPLER, "steps": 9, "cfg": 5.0, "sampler_name": "dpmpp_2m", "denoise": 0.5},
    )
    second["inputs"]["latent_image"] = ["21", 0]
    enlarge = node(
        "LatentUpscaleBy", samples=["3", 0], upscale_method="nearest-exact", scale_by=1.5
    )
    values = read(n20=second, n21=enlarge).values
    expected = {
        "Hires steps": "9",
        "Hires upscale": "1.5",
        "Hires CFG Scale": "5.0",
        "Hires sampler": "dpmpp_2m",
        "Hires upscaler": "Latent (nearest-exact)",
        "Denoising strength": "0.5",
    }
    assert expected.items() <= values.items()
