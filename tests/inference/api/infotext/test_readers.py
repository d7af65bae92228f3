from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.api.infotext.readers import MAX_PROMPT_CHARS, GenerationInfo, read_generation_info

WEB_UI = (
    "a fox, <lora:ink:0.7>\nNegative prompt: blur\nSteps: 28, Sampler: DPM++ 2M Karras, "
    "CFG scale: 6.5, Seed: 77, Size: 768x512, Model hash: 1a2b3c4d5e, Model: base15, "
    "Denoising strength: 0.45, Hires upscale: 2, Hires upscaler: Latent, Clip skip: 2, "
    'Lora hashes: "ink: 9f8e7d6c", Version: v1.8.0'
)


def told(**texts) -> GenerationInfo:
    found = read_generation_info(
        {k: v if isinstance(v, str) else json.dumps(v) for k, v in texts.items()}
    )
    assert found is not None
    return found


def test_the_web_uis():
    found = told(parameters=WEB_UI)
    assert (found.prompt, found.negative) == ("a fox, <lora:ink:0.7>", "blur")
    assert tuple(found.values[key] for key in ("Steps", "Sampler", "Size")) == (
        "28",
        "DPM++ 2M Karras",
        "768x512",
    )


COMFY = {
    "3": {
        "class_type": "KSampler",
        "inputs": {
            "seed": 5,
            "steps": 20,
            "cfg": 8.0,
            "sampler_name": "euler_ancestral",
            "scheduler": "karras",
            "denoise": 1.0,
            "model": ["11", 0],
            "positive": ["6", 0],
            "negative": ["7", 0],
            "latent_image": ["5", 0],
        },
    },
    "4": {
        "class_type": "CheckpointLoaderSimple",
        "inputs": {"ckpt_name": "sd\\base15.safetensors"},
    },
    "5": {
        "class_type": "EmptyLatentImage",
        "inputs": {"width": 512, "height": 768, "batch_size": 1},
    },
    "6": {"class_type": "CLIPTextEncode", "inputs": {"text": ["20", 0], "clip": ["12", 0]}},
    "7": {"class_type": "CLIPTextEncode", "inputs": {"text": "blur", "clip": ["12", 0]}},
    "8": {"class_type": "VAEDecode", "inputs": {"samples": ["3", 0], "vae": ["4", 2]}},
    "9": {"class_type": "SaveImage", "inputs": {"images": ["8", 0], "filename_prefix": "x"}},
    "10": {
        "class_type": "LoraLoader",
        "inputs": {
            "lora_name": "styles/ink.safetensors",
            "strength_model": 0.7,
            "strength_clip": 0.5,
            "model": ["4", 0],
            "clip": ["4", 1],
        },
    },
    "11": {
        "class_type": "LoraLoaderModelOnly",
        "inputs": {"lora_name": "line.safetensors", "strength_model": 1, "model": ["10", 0]},
    },
    "12": {
        "class_type": "CLIPSetLastLayer",
        "inputs": {"stop_at_clip_layer": -2, "clip": ["10", 1]},
    },
    "20": {"class_type": "PrimitiveString", "inputs": {"value": "a fox"}},
}


def test_comfyui_from_the_sampler_back():
    found = told(prompt=COMFY, workflow={"nodes": []})
    assert found.tool == "ComfyUI"
    assert found.prompt == "a fox <lora:ink:te=0.5:unet=0.7> <lora:line:te=0:unet=1>"
    assert found.negative == "blur"
    expected = {
        "Steps": "20",
        "Sampler": "euler_ancestral",
        "Schedule type": "karras",
        "CFG scale": "8.0",
        "Seed": "5",
        "Size": "512x768",
        "Model": "sd\\base15.safetensors",
        "Clip skip": "2",
        "RNG": "CPU",
        "Other nodes": "PrimitiveString",
    }
    assert dict(found.values) == expected


def change(graph, **nodes):
    return {**graph, **nodes}


def test_comfyui_from_a_picture():
    graph = change(
        COMFY,
        **{
            "5": {"class_type": "VAEEncode", "inputs": {"pixels": ["30", 0], "vae": ["4", 2]}},
            "30": {"class_type": "LoadImage", "inputs": {"image": "cat.png"}},
            "3": {"class_type": "KSampler", "inputs": {**COMFY["3"]["inputs"], "denoise": 0.4}},
        },
    )
    values = told(prompt=graph).values
    assert values["Denoising strength"] == "0.4"
    assert "Size" not in values


def test_comfyui_advanced_and_a_second_pass():
    second = {
        "class_type": "KSamplerAdvanced",
        "inputs": {
            "noise_seed": 9,
            "steps": 10,
            "start_at_step": 5,
            "end_at_step": 10,
            "cfg": 7,
            "sampler_name": "euler",
            "scheduler": "normal",
            "model": ["4", 0],
            "positive": ["6", 0],
            "negative": ["7", 0],
            "latent_image": ["14", 0],
        },
    }
    graph = change(
        COMFY,
        **{
            "13": second,
            "14": {
                "class_type": "LatentUpscale",
                "inputs": {"width": 1024, "height": 1536, "samples": ["3", 0]},
            },
            "8": {"class_type": "VAEDecode", "inputs": {"samples": ["13", 0], "vae": ["4", 2]}},
        },
    )
    values = told(prompt=graph).values
    assert (values["Seed"], values["Size"]) == ("5", "512x768")
    assert tuple(values[key] for key in ("Hires steps", "Denoising strength", "Hires resize")) == (
        "10",
        "0.5",
        "1024x1536",
    )


def test_comfyuis_links_may_go_round_in_circles():
    graph = {
        "1": {
            "class_type": "KSampler",
            "inputs": {
                "seed": ["1", 0],
                "steps": ["2", 0],
                "positive": ["2", 0],
                "negative": ["1", 0],
                "model": ["1", 0],
                "latent_image": ["1", 0],
            },
        },
        "2": {
            "class_type": "CLIPTextEncode",
            "inputs": {"text": ["2", 0], "conditioning": ["2", 0]},
        },
    }
    assert told(prompt=graph).prompt == ""


INVOKE = {
    "app_version": "5.6.0",
    "generation_mode": "txt2img",
    "positive_prompt": "a fox",
    "negative_prompt": "blur",
    "width": 512,
    "height": 640,
    "seed": 11,
    "rand_device": "cpu",
    "cfg_scale": 7.5,
    "steps": 30,
    "scheduler": "dpmpp_2m_k",
    "clip_skip": 1,
    "model": {"key": "k", "hash": "blake3:aa", "name": "base15", "base": "sd-1", "type": "main"},
    "loras": [{"model": {"name": "ink"}, "weight": 0.75}],
    "controlnets": [{"control_model": {"name": "canny"}}],
}


def test_invokeai():
    found = told(invokeai_metadata=INVOKE, invokeai_graph="{}")
    assert (
        found.tool,
        found.prompt,
        found.negative,
    ) == ("InvokeAI", "a fox <lora:ink:0.75>", "blur")
    expected = {"Sampler": "dpmpp_2m_k", "Model": "base15", "Clip skip": "2", "controlnets": "1"}
    assert expected.items() <= found.values.items()


def test_invokeais_third_version():
    old = {**INVOKE, "model": {"model_name": "base15"}, "strength": 0.6, "init_image": "x.png"}
    old["loras"] = [{"lora": {"model_name": "ink"}, "weight": 0.5}]
    found = told(invokeai_metadata=old)
    assert found.prompt == "a fox <lora:ink:0.5>"
    assert (found.values["Model"], found.values["Denoising strength"]) == ("base15", "0.6")


@pytest.mark.parametrize(
    "prompt", ["a fox [blur, fog] here", [{"prompt": "a fox [blur, fog] here"}]]
)
def test_invokeais_second_version(prompt):
    image = {"prompt": prompt, "steps": 50, "cfg_scale": 7.5, "width": 512, "height": 512}
    image |= {"seed": 3, "sampler": "k_euler_a", "type": "txt2img", "seamless": False}
    found = told(**{"sd-metadata": {"model_weights": "stable-diffusion-1.5", "image": image}})
    assert (found.prompt, found.negative) == ("a fox  here", "blur, fog")
    assert (found.values["Sampler"], found.values["Model"]) == ("k_euler_a", "stable-diffusion-1.5")


FOOOCUS = {
    "adm_guidance": "(1.5, 0.8, 0.3)",
    "base_model": "juggernautXL",
    "base_model_hash": "aeb7e9e689",
    "clip_skip": 2,
    "full_negative_prompt": ["blur"],
    "full_prompt": ["cinematic still a fox", "film grain"],
    "guidance_scale": 4,
    "loras": [["sd_xl_offset", 0.1, "4852686128"]],
    "metadata_scheme": "fooocus",
    "negative_prompt": "",
    "performance": "Speed",
    "prompt": "a fox",
    "resolution": "(1152, 896)",
    "sampler": "dpmpp_2m_sde_gpu",
    "scheduler": "karras",
    "seed": "123",
    "sharpness": 2.0,
    "steps": 30,
    "styles": "['Fooocus V2']",
    "vae": "Default (model)",
    "version": "Fooocus v2.5.5",
}


def test_fooocus_own_json():
    found = told(parameters=FOOOCUS, fooocus_scheme="fooocus")
    assert found.prompt == "cinematic still a fox, film grain <lora:sd_xl_offset:0.1>"
    assert found.negative == "blur"
    assert tuple(found.values[key] for key in ("Size", "Schedule type", "Model", "Sharpness")) == (
        "1152x896",
        "karras",
        "juggernautXL",
        "2.0",
    )
    assert "VAE" not in found.values


def test_fooocus_first_version():
    labels = {
        "Prompt": "a fox",
        "Negative Prompt": "blur",
        "Performance": "Quality",
        "Resolution": "(896, 1152)",
        "Guidance Scale": 7,
        "Base Model": "sd_xl_base_1.0.safetensors",
        "Sampler": "dpmpp_2m_sde_gpu",
        "Scheduler": "karras",
        "Seed": 9,
        "LoRA [ink.safetensors] weight": 0.5,
    }
    found = told(parameters=labels)
    assert (found.tool, found.prompt, found.values["Steps"]) == ("Fooocus", "a fox", "60")


def test_fooocus_in_the_web_uis_layout():
    text = (
        "cinematic still a fox\nNegative prompt: blur\nSteps: 30, Sampler: DPM++ 2M SDE Karras, "
        'Seed: 123, Size: 1152x896, CFG scale: 4, Sharpness: 2, ADM Guidance: "(1.5, 0.8, 0.3)", '
        "Model: juggernautXL, Model hash: aeb7e9e689, Performance: Speed, Scheduler: karras, "
        'VAE: Default (model), Raw prompt: a fox, Lora hashes: "ink: 4852686128", '
        'Lora weights: "ink: 0.1", Version: Fooocus v2.5.5'
    )
    found = told(parameters=text, fooocus_scheme="a1111")
    assert (found.tool, found.prompt) == ("Fooocus", "cinematic still a fox <lora:ink:0.1>")
    assert (found.values["Schedule type"], found.values["RNG"]) == ("karras", "CPU")
    assert "Raw prompt" not in found.values


NOVELAI = {
    "prompt": "a fox",
    "uc": "blur",
    "steps": 28,
    "scale": 5.0,
    "seed": 12,
    "width": 832,
    "height": 1216,
    "sampler": "k_dpmpp_2s_ancestral",
    "noise_schedule": "karras",
    "sm": True,
}


def test_novelai():
    found = told(Software="NovelAI", Description="a fox", Comment=NOVELAI)
    assert (found.tool, found.prompt, found.negative) == ("NovelAI", "a fox", "blur")
    assert {"Size": "832x1216", "Schedule type": "karras", "sm": "True"}.items() <= (
        found.values.items()
    )


def test_novelai_hidden_in_the_pixels():
    hidden = json.dumps({"Software": "NovelAI", "Comment": json.dumps(NOVELAI)})
    assert told(stealth=hidden).values["Seed"] == "12"
    assert told(stealth=WEB_UI).values["Seed"] == "77"


@pytest.mark.parametrize(
    "texts",
    [
        {},
        {"parameters": "a fox"},
        {"parameters": "{}"},
        {"parameters": '{"prompt": 1}'},
        {"prompt": "a fox"},
        {"prompt": "[]"},
        {"prompt": '{"1": {"inputs": {}}}'},
        {"prompt": json.dumps({str(n): {"inputs": {}} for n in range(3000)})},
        {"invokeai_metadata": "null"},
        {"sd-metadata": '{"image": 3}'},
        {"Software": "NovelAI", "Comment": "{"},
        {"Comment": "a photograph"},
        {"stealth": "nothing"},
        {"prompt": "[" * 100_000},
    ],
)
def test_what_tells_nothing(texts):
    assert read_generation_info(texts) is None


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=12,
)
KEYS = (*INVOKE, *FOOOCUS, *NOVELAI, "image", "inputs", "positive", "model", "latent_image", "1")
ODD = st.dictionaries(st.sampled_from(KEYS), JSON | st.dictionaries(st.sampled_from(KEYS), JSON))


@given(
    st.sampled_from(["parameters", "prompt", "invokeai_metadata", "sd-metadata", "Comment"]),
    ODD | st.dictionaries(st.sampled_from("12"), ODD),
)
def test_nobodys_json_does_harm(key, content):
    found = read_generation_info({key: json.dumps(content), "Software": "NovelAI"})
    if found is not None:
        assert all(isinstance(value, str) for value in found.values.values())
        assert GenerationInfo.from_dict(json.loads(json.dumps(found.to_dict()))) == found


def test_what_comes_from_another_process_is_bounded():
    found = GenerationInfo.from_dict(
        {"tool": "x" * 99, "prompt": "a" * 99_999, "values": {1: math.inf, "b": [2]}}
    )
    assert found is not None
    assert (len(found.tool), len(found.prompt), dict(found.values)) == (40, MAX_PROMPT_CHARS, {})
    assert GenerationInfo.from_dict(None) is None
    assert GenerationInfo.from_dict({"values": 3}) is None
