"""Checkpoints in one file: the same model as from the parts it was written from."""

import pytest
import torch
from diffusers import AutoencoderKL
from safetensors.torch import load_file, save_file
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from inference.diffusion.loader import CheckpointLoader
from inference.diffusion.single_file import CONFIGS_DIR, load_checkpoint, natural_side, read_config
from inference.model_files.errors import CorruptWeights, UnsupportedWeights
from inference.model_files.files import ModelFolder
from inference.model_files.hashes import FileHashes
from inference.prompts.tokenizer import load_tokenizer
from inference.runtime.precision import PartFormats

CPU = torch.device("cpu")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "net.safetensors"


@pytest.fixture
def load(path, tiny_configs):
    def load(dtype=torch.float32, **more):
        return load_checkpoint(
            path, "net", CPU, PartFormats.of_device(dtype, CPU), configs=tiny_configs, **more
        )

    return load


@pytest.mark.parametrize(
    ("family", "channels"), [(family, n) for family in ("sd1", "sd2", "sdxl") for n in (4, 8, 9)]
)
def test_every_part_is_the_one_written(write_original, path, load, family, channels):
    parts = write_original(path, family, channels=channels)
    model = load()
    pairs = [(parts.unet, model.unet), (parts.vae, model.vae)]
    pairs += list(zip(parts.texts, model.text_encoders.models, strict=True))

    for written, read in pairs:
        wanted, found = written.state_dict(), read.state_dict()
        assert set(found) == set(wanted)
        assert all(torch.equal(value, found[name]) for name, value in wanted.items())
    assert (channels == 9) == model.is_inpainting
    assert (channels == 8) == model.is_instructed


def test_text_models_give_the_words_they_gave_before(write_original, path, load):
    parts = write_original(path, "sdxl")
    tokens = torch.tensor([[1, 4, 5, 2]])

    for written, read in zip(parts.texts, load().text_encoders.models, strict=True):
        with torch.inference_mode():
            wanted, found = (text(input_ids=tokens)[0] for text in (written, read))
        assert torch.equal(wanted, found)


def test_a_v_prediction_model_with_zero_terminal_noise(write_original, path, load):
    one = torch.zeros(1)
    write_original(path, "sdxl", extra={"v_pred": one, "ztsnr": one})
    model = load()

    assert model.prediction == "v_prediction"
    assert model.table.sigma_max > 4000


def test_weights_take_the_devices_format(write_original, path, load):
    write_original(path, "sd1")
    model = load(torch.bfloat16)

    assert {weight.dtype for weight in model.unet.parameters()} == {torch.bfloat16}
    assert {weight.dtype for weight in model.text_encoders.models[0].parameters()} == {
        torch.float32
    }


def test_the_second_familys_noise_predictors_paint_smaller(write_original, path):
    write_original(path, "sd2", metadata={"modelspec.prediction_type": "epsilon"})
    small = natural_side(path)
    path.with_suffix(".yaml").write_text('model:\n  params:\n    parameterization: "v"\n')

    assert (small, natural_side(path)) == (512, 768)


@pytest.mark.parametrize(("family", "width"), [("sd1", 768), ("sd2", 1024), ("sdxl", 2048)])
def test_the_width_of_words_is_told_without_loading(write_original, path, family, width):
    write_original(path, family)
    loader = CheckpointLoader(
        ModelFolder(path.parent),
        CONFIGS_DIR,
        FileHashes(path.parent / "h.json"),
        CPU,
        torch.float32,
    )

    assert loader.text_width(path) == width


@pytest.mark.parametrize(("family", "is_fixed"), [("sd1", False), ("sd2", True), ("sdxl", True)])
def test_only_stable_diffusion_1_skips_layers_of_its_text_encoder(
    write_original, path, load, family, is_fixed
):
    write_original(path, family)
    text_encoders = load().text_encoders

    for clip_skip in (2, 3):
        plain, skipped = (
            text_encoders.build_encoder(number, "Original").encode_prompt("red apple")
            for number in (1, clip_skip)
        )
        assert torch.equal(plain, skipped) is is_fixed


def test_a_missing_weight_is_named(write_original, path, load):
    write_original(path, "sd1")
    state = load_file(path)
    del state["model.diffusion_model.out.2.bias"]
    save_file(state, path)

    with pytest.raises(CorruptWeights, match=r"lacks the weight conv_out\.bias"):
        load()


def test_a_weight_of_another_shape_is_named(write_original, path, load):
    write_original(path, "sd1")
    save_file(load_file(path) | {"model.diffusion_model.out.2.bias": torch.zeros(5)}, path)

    with pytest.raises(CorruptWeights, match=r"conv_out\.bias with shape \(5,\)"):
        load()


def test_a_checkpoint_without_its_autoencoder_is_refused(write_original, path, load):
    write_original(path, "sd1")
    state = {name: value for name, value in load_file(path).items() if "first_stage" not in name}
    save_file(state, path)

    with pytest.raises(UnsupportedWeights, match="no autoencoder"):
        load()


def test_an_autoencoder_beside_it_takes_the_place_of_its_own(write_original, path, load):
    write_original(path, "sd1")
    other = path.with_name("other.safetensors")
    parts = write_original(other, "sd1", seed=3)
    state = load_file(other)
    save_file({name: value for name, value in state.items() if "first_stage" in name}, other)
    found = load(vae=other).vae.state_dict()

    assert all(torch.equal(value, found[name]) for name, value in parts.vae.state_dict().items())


def test_the_shipped_vocabulary_is_clips():
    tokenizer = load_tokenizer(CONFIGS_DIR / "tokenizer")

    assert tokenizer.ids("a photo of a cat") == [320, 1125, 539, 320, 2368]
    assert (
        tokenizer.bos,
        tokenizer.eos,
        tokenizer.length,
        tokenizer.comma,
    ) == (49406, 49407, 77, 267)
    assert tokenizer.ids("Hello World!") == [3306, 1002, 256]


@pytest.mark.parametrize(
    ("family", "number", "kind", "weights"),
    [
        ("sd1", 0, CLIPTextModel, 123_060_480),
        ("sd2", 0, CLIPTextModel, 340_387_840),
        ("sdxl", 1, CLIPTextModelWithProjection, 694_659_840),
    ],
)
def test_shipped_text_encoders_have_the_published_size(family, number, kind, weights):
    with torch.device("meta"):
        model = kind(CLIPTextConfig(**read_config(family)["text_encoders"][number]))

    assert sum(weight.numel() for weight in model.parameters()) == weights


def test_the_shipped_autoencoder_has_the_published_size():
    with torch.device("meta"):
        vae = AutoencoderKL.from_config(read_config("sd1")["vae"])

    assert sum(weight.numel() for weight in vae.parameters()) == 83_653_863


@pytest.mark.parametrize("spelling", ["original", "of 2022", "of today"])
@pytest.mark.parametrize("prefix", ["first_stage_model.", "vae.", ""])
@pytest.mark.parametrize("layout", ["mid.attn_1", "mid_block.attentions.0"])
def test_an_autoencoder_is_read_in_every_spelling(
    write_original, path, load, spelling, prefix, layout
):
    words = {
        "original": ("norm", "q", "k", "v", "proj_out"),
        "of 2022": ("group_norm", "query", "key", "value", "proj_attn"),
        "of today": ("group_norm", "to_q", "to_k", "to_v", "to_out.0"),
    }[spelling]
    parts = write_original(path, "sd1")
    renamed = {}
    for name, value in load_file(path).items():
        bare = name.removeprefix("first_stage_model.")
        for word, own in zip(words, ("norm", "q", "k", "v", "proj_out"), strict=True):
            bare = bare.replace(f".mid.attn_1.{own}.", f".{layout}.{word}.")
        renamed[prefix + bare if bare != name else name] = value
    save_file(renamed, path)
    found = load().vae.state_dict()

    assert all(torch.equal(value, found[name]) for name, value in parts.vae.state_dict().items())


def test_a_projection_of_words_that_lies_as_a_linear_layer(write_original, path, load):
    parts = write_original(path, "sdxl")
    state = load_file(path)
    name = "conditioner.embedders.1.model.text_projection"
    save_file({**state, f"{name}.weight": state.pop(name).T.contiguous()}, path)

    assert torch.equal(
        load().text_encoders.models[1].text_projection.weight, parts.texts[1].text_projection.weight
    )


@pytest.mark.parametrize("spelling", ["v", "v_prediction", "V-Prediction"])
def test_modelspec_says_v_in_several_spellings(write_original, path, load, spelling):
    write_original(path, "sdxl", metadata={"modelspec.prediction_type": spelling})

    assert load().prediction == "v_prediction"


@pytest.mark.parametrize(
    ("extra", "title"),
    [(("edm_mean", "edm_std"), "Playground v2.5"), (("edm_vpred.sigma_max",), "CosXL")],
)
def test_a_checkpoint_of_other_noise_is_named(write_original, path, load, extra, title):
    write_original(path, "sdxl", extra={name: torch.ones(1) for name in extra})

    with pytest.raises(UnsupportedWeights, match=rf"{title}.* EDM's noise"):
        load()


def test_a_refiner_is_loaded_as_one(write_original, path, load):
    parts = write_original(path, "refiner")
    model = load()

    assert model.is_refiner
    assert model.prediction == "epsilon"
    (text,) = model.text_encoders.models
    for written, read in ((parts.unet, model.unet), (parts.texts[0], text)):
        wanted, found = written.state_dict(), read.state_dict()
        assert all(torch.equal(value, found[name]) for name, value in wanted.items())
