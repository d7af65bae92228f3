"""SDXL from a folder: two text encoders, pooled vectors, sizes; held to diffusers' pipeline."""

import shutil

import diffusers
import pytest
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from inference.api.config import EngineConfig
from inference.api.notices import Notice
from inference.engine.engine import Engine, RunCompleted, aux_batch_limit
from inference.engine.runner import Runner
from inference.engine.scheduler import Scheduler
from inference.engine.work import DenoiseWork, JobResult, WorkRequest
from inference.model_library import ModelLibrary

WIDTH = 32
SEED = 5
TOLERANCE = 2e-3  # of a latent's range, which is about 2 wide


@pytest.fixture(scope="module")
def library(tiny_model, tmp_path_factory):
    shelf = tmp_path_factory.mktemp("xl")
    folder = shelf / "tiny-xl"
    with torch.random.fork_rng():
        torch.manual_seed(11)
        UNet2DConditionModel(
            sample_size=8,
            block_out_channels=(16, 32),
            layers_per_block=1,
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
            cross_attention_dim=2 * WIDTH,
            attention_head_dim=4,
            norm_num_groups=8,
            addition_embed_type="text_time",
            addition_time_embed_dim=8,
            projection_class_embeddings_input_dim=WIDTH + 6 * 8,
        ).save_pretrained(folder / "unet")
        AutoencoderKL(
            block_out_channels=(8, 8, 16, 16),
            down_block_types=("DownEncoderBlock2D",) * 4,
            up_block_types=("UpDecoderBlock2D",) * 4,
            latent_channels=4,
            layers_per_block=1,
            norm_num_groups=4,
            scaling_factor=0.13025,
        ).save_pretrained(folder / "vae")
        settings = CLIPTextConfig(
            vocab_size=13,
            hidden_size=WIDTH,
            intermediate_size=64,
            num_hidden_layers=3,
            num_attention_heads=2,
            max_position_embeddings=77,
            projection_dim=WIDTH,
            bos_token_id=1,
            eos_token_id=2,
            pad_token_id=2,
        )
        CLIPTextModel(settings).save_pretrained(folder / "text_encoder")
        CLIPTextModelWithProjection(settings).save_pretrained(folder / "text_encoder_2")
    for name in ("tokenizer", "tokenizer_2"):
        shutil.copytree(tiny_model / "tiny" / "tokenizer", folder / name)
    shutil.copytree(tiny_model / "tiny" / "scheduler", folder / "scheduler")
    config = EngineConfig(model="tiny-xl", models_dir=str(shelf))
    return ModelLibrary(config, torch.device("cpu"), torch.float32)


def paint(latent, **more):
    settings = {
        "model": "tiny-xl",
        "width": 64,
        "height": 64,
        "prompt": "red apple",
        "negative_prompt": "",
        "steps": 15,
        "guidance": 6.0,
        "sampler": "DDIM",
        "schedule": "Automatic",
        "seed": SEED,
        "latent": latent,
        "strength": 0.75,
        "decode": False,
    }
    return DenoiseWork(**(settings | more))


def run(library, works):
    found = []

    def asking():
        found.extend((yield WorkRequest(works=tuple(works))))
        return JobResult()

    engine = Engine(Runner(library, {}), Scheduler(8, aux_batch_limit(8, 1)))
    reports = engine.add_job("a", 1, asking())
    while not engine.is_idle:
        reports = engine.step()
    assert isinstance(reports[-1], RunCompleted), reports
    return [result.latent for result in found]


@pytest.fixture(scope="module")
def latent():
    return torch.randn(4, 8, 8, generator=torch.Generator().manual_seed(1))


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_img2img_equals_the_pipeline(library, latent):
    model = library.get_checkpoint("")
    pipeline = diffusers.StableDiffusionXLImg2ImgPipeline(
        vae=model.vae,
        text_encoder=model.text_encoders.models[0],
        text_encoder_2=model.text_encoders.models[1],
        tokenizer=None,
        tokenizer_2=None,
        unet=model.unet,
        scheduler=diffusers.DDIMScheduler(
            beta_start=0.00085,
            beta_end=0.012,
            beta_schedule="scaled_linear",
            clip_sample=False,
            set_alpha_to_one=False,
            steps_offset=1,
        ),
        add_watermarker=False,
    )
    pipeline.set_progress_bar_config(disable=True)
    prompt = model.text_encoders.build_encoder(1, "Original").encode_pooled("red apple")
    expected = pipeline(
        image=latent[None],
        prompt_embeds=prompt.crossattn[None],
        pooled_prompt_embeds=prompt.pooled[None],
        negative_prompt_embeds=torch.zeros_like(prompt.crossattn)[None],
        negative_pooled_prompt_embeds=torch.zeros_like(prompt.pooled)[None],
        strength=0.75,
        num_inference_steps=20,
        guidance_scale=6.0,
        original_size=(64, 64),
        target_size=(64, 64),
        generator=torch.Generator().manual_seed(SEED),
        output_type="latent",
    ).images[0]
    (mine,) = run(library, [paint(latent)])
    assert float((mine - expected).abs().max()) <= TOLERANCE


def test_rows_with_their_own_words_share_a_batch(library, latent):
    works = [paint(latent, prompt=words, seed=n) for n, words in enumerate(("red", "cat", "sky"))]
    together = run(library, works)
    alone = [run(library, [work])[0] for work in works]
    assert (
        max(float((one - other).abs().max()) for one, other in zip(together, alone, strict=True))
        <= 1e-4
    )


def test_a_negative_prompt_is_read_and_an_empty_one_is_zero(library):
    words = library.get_checkpoint("").text_encoders
    written = words.build_encoder(1, "Original").encode_pooled("cat")
    absent = words.null_conditioning(written)
    assert written.crossattn.abs().sum() > 0
    assert 0 == absent.crossattn.abs().sum() == absent.pooled.abs().sum()


@pytest.mark.parametrize("clip_skip", [2, 12])
def test_clip_skip_is_left_out_and_said(library, latent, clip_skip):
    plain, skipped = run(library, [paint(latent), paint(latent, clip_skip=clip_skip)])
    (forced,) = run(library, [paint(latent, clip_skip=2, force_clip_skip=True)])
    assert torch.equal(plain, skipped)
    assert not torch.equal(plain, forced)
    assert library.list_prompt_notes("tiny-xl", "red", "", 1) == []
    assert library.list_prompt_notes("tiny-xl", "red", "", clip_skip) == [
        Notice("prompt.fixed_layer", clip_skip=clip_skip)
    ]
