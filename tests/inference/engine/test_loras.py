"""LoRAs and embeddings in whole jobs: each with its own, beside jobs with others."""

import shutil

import pytest
import torch
from safetensors.torch import save_file

from inference.api.config import EngineConfig
from inference.api.errors import JobError
from inference.engine.engine import Engine, RunCompleted, RunFailed, aux_batch_limit
from inference.engine.runner import Runner
from inference.engine.scheduler import Scheduler
from inference.engine.work import DenoiseWork, JobResult, WorkRequest
from inference.model_library import ModelLibrary

UNET = "lora_unet_mid_block_attentions_0_transformer_blocks_0_attn2_to_v"
TEXT = "lora_te_text_model_encoder_layers_0_mlp_fc1"


@pytest.fixture(scope="module")
def library(tiny_model, tmp_path_factory):
    shelf = tmp_path_factory.mktemp("loras")
    shutil.copytree(tiny_model / "tiny", shelf / "tiny")
    (shelf / "loras").mkdir()
    (shelf / "embeddings").mkdir()
    generator = torch.Generator().manual_seed(6)
    shapes = {"ink": (UNET, 32, 32), "oil": (UNET, 32, 32), "told": (TEXT, 32, 64)}
    for name, (layer, into, out) in shapes.items():
        state = {
            f"{layer}.lora_down.weight": torch.randn(4, into, generator=generator),
            f"{layer}.lora_up.weight": torch.randn(out, 4, generator=generator),
        }
        save_file(state, shelf / "loras" / f"{name}.safetensors")
    vectors = torch.randn(2, 32, generator=generator)
    save_file({"emb_params": vectors}, shelf / "embeddings" / "moodful.safetensors")
    save_file({"emb_params": torch.zeros(1, 768)}, shelf / "embeddings" / "wide.safetensors")
    config = EngineConfig(model="tiny", models_dir=str(shelf), cache_dir=str(shelf / "cache"))
    return ModelLibrary(config, torch.device("cpu"), torch.float32)


def paint(prompt, **more):
    settings = {
        "model": "tiny",
        "width": 64,
        "height": 64,
        "prompt": prompt,
        "negative_prompt": "sky",
        "steps": 3,
        "guidance": 5.0,
        "sampler": "Euler a",
        "schedule": "Automatic",
        "seed": 3,
        "decode": False,
    }
    return DenoiseWork(**(settings | more))


def run(library, prompts):
    """Run jobs of these prompts together; give their latents, or the errors of those that broke."""
    engine = Engine(Runner(library, {}), Scheduler(8, aux_batch_limit(8, 1)))
    found = {}

    def asking(number, prompt):
        (result,) = yield WorkRequest(works=(paint(prompt),))
        found[number] = result.latent
        return JobResult()

    reports = []
    for number, prompt in enumerate(prompts):
        reports += engine.add_job(str(number), 1, asking(number, prompt))
    while not engine.is_idle:
        reports += engine.step()
    for report in reports:
        match report:
            case RunFailed(broken, error):
                found[int(broken.job_id)] = error
            case RunCompleted(_, _):
                pass
    return [found[number] for number in range(len(prompts))]


def test_jobs_with_other_loras_do_not_touch_each_other(library):
    prompts = [
        "red apple",
        "red apple <lora:ink:0.8>",
        "red apple <lora:oil:0.8>",
        "red apple <lora:ink:0.8> <lora:oil:1>",
        "red apple <lora:told:1>",
    ]
    together = run(library, prompts)
    alone = [run(library, [prompt])[0] for prompt in prompts]

    for one, other in zip(together, alone, strict=True):
        assert torch.allclose(one, other, atol=1e-4)
    for number, one in enumerate(together):
        assert all((one - other).abs().max() > 1e-3 for other in together[:number])


def test_the_same_prompt_without_its_lora_is_as_before(library):
    before = run(library, ["cat"])[0]
    run(library, ["cat <lora:told:1> <lora:ink:1>"])

    assert torch.equal(before, run(library, ["cat"])[0])


def test_a_weight_of_nothing_changes_nothing(library):
    plain, none = run(library, ["cat"])[0], run(library, ["cat <lora:ink:0>"])[0]

    assert torch.equal(plain, none)


def test_an_unknown_lora_fails_its_own_job_and_names_the_nearest(library):
    good, bad = run(library, ["cat", "cat <lora:inkk:1>"])

    assert isinstance(good, torch.Tensor)
    assert isinstance(bad, JobError)
    assert "no LoRA “inkk” here. Did you mean ink?" in str(bad)


def test_embeddings_are_words_of_the_prompt(library):
    plain, mood = run(library, ["cat"])[0], run(library, ["cat moodful"])[0]

    assert (plain - mood).abs().max() > 1e-3


def test_an_embedding_of_another_width_fails_its_own_job(library):
    good, bad = run(library, ["cat", "cat, wide, sky"])

    assert isinstance(good, torch.Tensor)
    assert isinstance(bad, JobError)
    assert "768 numbers wide" in str(bad)
    assert "words are 32" in str(bad)
