"""Every script of the recipe, ten steps or fewer each, on eight synthetic names."""

import json

import pytest
import torch

from tools.starter import (
    evaluate,
    export,
    latents,
    normalise,
    train_captioner,
    train_clip,
    train_inpaint,
    train_judge,
    train_unet,
    train_vae,
)


@pytest.fixture(scope="module")
def work(folder):
    """The folder in which each script has run once, in the order of the recipe."""
    threads = str(torch.get_num_threads())

    def run(script, steps, *options):
        if steps:
            options = ("--steps", str(steps), "--batch", "2", *options)
        script.main(["--data", str(folder), "--threads", threads, *map(str, options)])

    vae = folder / "vae" / "normalised"
    unet = folder / "unet"
    run(train_vae, 10, "--out", folder / "vae")
    run(normalise, 0, "--vae", folder / "vae", "--out", vae, "--pictures", 32)
    run(train_clip, 10, "--out", folder / "clip")
    run(latents, 0, "--vae", vae, "--out", folder / "latents", "--pictures", 32)
    given = ("--clip", folder / "clip")
    run(train_unet, 3, "--out", unet, "--latents", folder / "latents", *given)
    inpaint = ("--out", folder / "inpaint", "--vae", vae, "--unet", unet, "--pictures", 16)
    run(train_inpaint, 3, *inpaint, *given)
    run(train_judge, 10, "--out", folder / "judge")
    taught = ("--judge", folder / "judge")
    run(train_captioner, 10, "--out", folder / "captioner", *given, *taught)
    sharpen = ("--init", vae, "--decoder-only", "--latent-noise", 0.3)
    run(train_vae, 3, "--out", folder / "decoder", *sharpen)
    for name, weight in (("free", 0), ("held", 1000)):
        options = ("--init", vae, "--keep-latents", weight, "--learning-rate", 0.1)
        run(train_vae, 12, "--out", folder / name, *options)
    folder_options = ["--data", str(folder), "--work", str(folder)]
    decoder = ["--vae", str(folder / "decoder")]
    export.main([*folder_options, *decoder, "--pack", str(folder / "pack")])
    return folder


@pytest.mark.slow
def test_the_pack_opens_as_a_published_pipeline(work):
    from diffusers import StableDiffusionPipeline

    pipeline = StableDiffusionPipeline.from_pretrained(work / "pack", dtype=torch.float32)
    pipeline.set_progress_bar_config(disable=True)
    image = pipeline("dog blob style", height=64, width=64, num_inference_steps=2).images[0]
    assert image.size == (64, 64)


@pytest.mark.slow
def test_the_captioner_opens_as_a_published_one(work):
    from PIL import Image
    from transformers import BlipForConditionalGeneration, BlipProcessor

    folder = work / "pack" / "captioner"
    processor = BlipProcessor.from_pretrained(folder)
    given = processor(images=Image.new("RGB", (200, 100)), return_tensors="pt")
    captioner = BlipForConditionalGeneration.from_pretrained(folder, dtype=torch.float32)
    ids = captioner.generate(**given, max_new_tokens=4)
    assert isinstance(processor.decode(ids[0], skip_special_tokens=True), str)


@pytest.mark.slow
def test_the_evaluation_writes_every_figure(work, monkeypatch):
    monkeypatch.setattr(torch, "set_num_threads", lambda count: None)
    options = ["--data", work, "--pack", work / "pack", "--judge", work / "judge", "--count", 4]
    evaluate.main([*map(str, options), "--out", str(work / "evaluation")])
    figures = json.loads((work / "evaluation" / "figures.json").read_text())
    assert {
        "psnr_held_back_names",
        "drawn_top10",
        "hires_top10",
        "caption_head_word",
        "inpaint_seam",
    } <= set(figures)
    assert all(0 <= figures[key] <= 1 for key in figures if "top" in key)


@pytest.mark.slow
def test_weights_are_float16_and_know_no_folder_of_their_maker(work):
    from safetensors.torch import load_file

    for path in (work / "pack").rglob("*.safetensors"):
        assert {value.dtype for value in load_file(path).values()} == {torch.float16}, path
    for path in (work / "pack").rglob("config.json"):
        assert str(work) not in path.read_text()


@pytest.mark.slow
def test_training_the_decoder_alone_leaves_the_latents(work):
    from diffusers import AutoencoderKL

    before = AutoencoderKL.from_pretrained(work / "vae" / "normalised").state_dict()
    after = AutoencoderKL.from_pretrained(work / "decoder").state_dict()
    changed = {key.split(".")[0] for key in before if not before[key].equal(after[key])}
    assert changed == {"decoder", "post_quant_conv"}


@pytest.mark.slow
def test_a_whole_autoencoder_can_keep_near_its_latents(work):
    from diffusers import AutoencoderKL

    images = torch.rand(2, 3, 128, 128, generator=torch.Generator().manual_seed(0)) * 2 - 1
    latents = []
    for part in (work / "vae" / "normalised", work / "free", work / "held"):
        vae = AutoencoderKL.from_pretrained(part, dtype=torch.float32)
        with torch.no_grad():
            latents.append(vae.encode(images).latent_dist.mean)
    free, held = ((latents[0] - after).square().mean() for after in latents[1:])
    assert 0 < held < free / 2


@pytest.mark.slow
def test_the_inpainting_network_shares_what_it_did_not_train(work):
    from diffusers import UNet2DConditionModel
    from safetensors.torch import load_file

    before = UNet2DConditionModel.from_pretrained(work / "unet" / "unet").state_dict()
    after = UNet2DConditionModel.from_pretrained(work / "inpaint" / "unet_inpaint").state_dict()
    changed = {
        key for key in before if key.startswith("conv_in") or not before[key].equal(after[key])
    }
    assert {key for key in before if train_inpaint.is_own(key)} == changed
    kept = load_file(work / "pack" / "inpaint" / "unet" / "diffusion_pytorch_model.safetensors")
    assert set(kept) == changed
