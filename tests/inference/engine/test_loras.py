"""LoRAs and embeddings in whole jobs: each with its own, beside jobs with others."""

import shutil

import pytest
import torch
from safetensors.torch import save_file

from inference.api.config import EngineConfig
from inference.api.errors import JobError
from inference.api.notices import Notice
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
        metadata = {"ss_output_name": f"{name}_alias"}
        save_file(state, shelf / "loras" / f"{name}.safetensors", metadata)
    rotation = {f"{UNET}.oft_blocks": torch.randn(4, 8, 8, generator=generator)}
    save_file(rotation, shelf / "loras" / "turn.safetensors")
    norm = "lora_unet_mid_block_attentions_0_norm"
    norms = {f"{norm}.w_norm": torch.ones(32) * 3, f"{norm}.b_norm": torch.ones(32)}
    save_file(norms, shelf / "loras" / "norms.safetensors")
    vectors = torch.randn(2, 32, generator=generator)
    save_file({"emb_params": vectors}, shelf / "embeddings" / "moodful.safetensors")
    for name, vectors in {
        "wide": torch.zeros(1, 768),
        "full": torch.randn(14, 32, generator=generator),
        "long": torch.randn(15, 32, generator=generator),
    }.items():
        save_file({"emb_params": vectors}, shelf / "embeddings" / f"{name}.safetensors")
    low_rank = {
        f"{UNET}.lora_down.weight": torch.ones(1, 32),
        f"{UNET}.lora_up.weight": torch.ones(32, 1),
    }
    word = {"bundle_emb.inkword.emb_params": torch.randn(2, 32, generator=generator)}
    second = {
        f"{TEXT.replace('te', 'te2', 1)}.lora_down.weight": torch.ones(1, 32),
        f"{TEXT.replace('te', 'te2', 1)}.lora_up.weight": torch.ones(64, 1),
    }
    save_file(low_rank | word, shelf / "loras" / "bundle.safetensors")
    save_file(low_rank | second, shelf / "loras" / "parted.safetensors")
    config = EngineConfig(model="tiny", models_dir=str(shelf), cache_dir=str(shelf / "cache"))
    return ModelLibrary(config, torch.device("cpu"), torch.float32)


@pytest.fixture(scope="module")
def bare_library(tiny_model, tmp_path_factory):
    """Give the same checkpoint without LoRAs or embeddings."""
    cache = str(tmp_path_factory.mktemp("cache"))
    config = EngineConfig(model="tiny", models_dir=str(tiny_model), cache_dir=cache)
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
    return run_noted(library, prompts)[0]


def run_noted(library, prompts, **more):
    """Run jobs of these prompts together; give latents or errors, and notes, of each."""
    engine = Engine(Runner(library, {}), Scheduler(8, aux_batch_limit(8, 1)))
    found, notes = {}, {}

    def asking(number, prompt):
        (result,) = yield WorkRequest(works=(paint(prompt, **more),))
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
            case RunCompleted(finished, result):
                notes[int(finished.job_id)] = result.notes
    numbers = range(len(prompts))
    return [found[number] for number in numbers], [notes.get(number, ()) for number in numbers]


def test_jobs_with_other_loras_do_not_touch_each_other(library):
    prompts = [
        "red apple",
        "red apple <lora:ink:0.8>",
        "red apple <lora:oil:0.8>",
        "red apple <lora:ink:0.8> <lora:oil:1>",
        "red apple <lora:told:1>",
        "red apple <lora:turn:1>",
        "red apple <lora:norms:1>",
        "red apple <lora:turn:1> <lora:ink:0.8> <lora:norms:1>",
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


@pytest.mark.parametrize(
    "tag", ["<lora:ink_alias:1>", "<lora:x/ink.safetensors:1>", "<Lora:ink:1>"]
)
def test_a_lora_acts_under_each_of_its_names(library, tag):
    assert torch.equal(run(library, [f"cat {tag}"])[0], run(library, ["cat <lora:ink:1>"])[0])


def test_embeddings_are_words_of_the_prompt(library):
    plain, mood = run(library, ["cat"])[0], run(library, ["cat moodful"])[0]

    assert (plain - mood).abs().max() > 1e-3


@pytest.mark.parametrize("negative", ["", "wide"])
def test_an_embedding_of_another_family_leaves_a_word_alone(library, bare_library, negative):
    """As without the file; that it stays a word is noted, wherever in the prompts it stands."""
    prompt = "cat" if negative else "cat, Wide, sky"
    (latent,), (notes,) = run_noted(library, [prompt], negative_prompt=negative)
    (plain,), (none,) = run_noted(bare_library, [prompt], negative_prompt=negative)

    assert torch.equal(latent, plain)
    assert notes == (Notice("prompt.plain_embedding", name="wide"),)
    assert none == ()


def test_an_explanation_counts_the_embeddings_that_fit(library):
    assert library.count_embedding_vectors("tiny") == {"moodful": 2, "full": 14, "long": 15}


def test_a_mark_that_means_an_embedding_alone_is_refused(library):
    good, bad = run(library, ["cat", "cat, embedding:wide, sky"])

    assert isinstance(good, torch.Tensor)
    assert isinstance(bad, JobError)
    assert "768 numbers wide" in str(bad)
    assert "words are 32" in str(bad)


def test_an_embedding_longer_than_a_chunk_is_refused_in_words(library):
    fitting, bad = run(library, ["cat full", "cat long"])

    assert isinstance(fitting, torch.Tensor)
    assert isinstance(bad, JobError)
    assert str(bad) == str(Notice("prompt.long_embedding", name="long", vectors=15, room=14))


def test_an_embedding_in_a_lora_is_a_word_of_its_jobs(library):
    """Without the LoRA it is a word, and the tag alone without the word changes other words not."""
    plain, tagged, word, both = run(
        library, ["cat", "cat <lora:bundle:0:0.0001>", "cat inkword", "cat inkword <lora:bundle:1>"]
    )

    assert torch.allclose(plain, tagged, atol=1e-2)
    assert (word - both).abs().max() > 1e-2


@pytest.mark.parametrize(
    ("prompt", "notes"),
    [
        ("cat", ()),
        ("cat <lora:ink:1>", ()),
        ("cat <hypernet:ink:1>", (Notice("prompt.unknown_tag", network="<hypernet:ink:1>"),)),
        ("cat <Lora:ink:1>", (Notice("prompt.tag_case", network="<Lora:ink:1>", kind="lora"),)),
        (
            "cat <lora:ink:1:lbw=MIDD>",
            (
                Notice(
                    "prompt.tag_arguments", network="<lora:ink:1:lbw=MIDD>", arguments="lbw=MIDD"
                ),
            ),
        ),
        (
            "cat <lora:parted:1>",
            (
                Notice(
                    "prompt.lora_unused",
                    name="parted",
                    count=2,
                    first="lora_te2_text_model_encoder_layers_0_mlp_fc1.lora_down.weight",
                ),
            ),
        ),
    ],
)
def test_what_is_left_out_of_a_prompt_is_noted(library, prompt, notes):
    assert run_noted(library, [prompt])[1] == [notes]
