"""Models of the catalogue, pulled from a hub on this machine."""

from __future__ import annotations

import hashlib
import io
import shutil
import sys

import pytest
import torch
from safetensors.torch import save_file

from inference import manage_models
from inference.api.catalogue.entries import CATALOGUE_FILE
from tests.doubles.model_hub import LARGE, TOKEN, serve_hub

FILE = "tiny-v1.safetensors"
ENTRY = """
[[models]]
key = "{key}"
title = "Tiny"
kind = "{kind}"
family = "{family}"
about = "<lora:{key}:1>"
repository = "{repository}"
layout = "{layout}"
licence = "{licence}"
memory_gb = 1
inpainting = {inpainting}
goes_with = "{goes_with}"
files = [{files}]

[models.defaults]
width = 64
height = 64
steps = 4
guidance = 7.0
sampler = "Euler"
schedule = "Automatic"
"""


@pytest.fixture
def hub(tmp_path, write_original, tiny_model):
    folder = tmp_path / "hub" / "one"
    folder.mkdir(parents=True)
    write_original(folder / FILE)
    vae = {"decoder.conv_in.weight": torch.zeros(64, 4, 3, 3), "a": torch.zeros(9000)}
    save_file(vae, folder / "vae.safetensors")
    pipeline = tmp_path / "hub" / "pipeline"
    shutil.copytree(tiny_model / "tiny", pipeline)
    (pipeline / "model_index.json").write_text('{"_class_name": "StableDiffusionPipeline"}')
    captioner = tmp_path / "hub" / "captioner"
    captioner.mkdir()
    (captioner / "config.json").write_text('{"model_type": "florence2"}')
    (captioner / "tokenizer.json").write_text("{}")
    (captioner / "pytorch_model.bin").write_bytes(b"PK" * 99)
    save_file({"a": torch.zeros(9000)}, captioner / "model.safetensors")
    with serve_hub(
        {"owner/one": folder, "owner/pipeline": pipeline, "owner/captioner": captioner}
    ) as server:
        server.folder = folder
        yield server


@pytest.fixture
def pull(tmp_path, hub):
    """Enter a model in the host's own catalogue, and pull it as the command line does."""
    models = tmp_path / "models"

    def run(*options, key="tiny", **values):
        fields = {
            "key": key,
            "kind": "checkpoint",
            "family": "sd1",
            "repository": "owner/one",
            "layout": "file",
            "licence": "mit",
            "inpainting": "false",
            "goes_with": "",
            "files": f'{{ path = "{FILE}" }}',
        } | values
        # One models folder a run: a catalogue is read once.
        place = models / str(len(list(models.glob("*"))))
        place.mkdir(parents=True)
        (place / CATALOGUE_FILE).write_text(ENTRY.format(**fields), encoding="utf-8")
        arguments = ["--models", str(place), "--cache", str(tmp_path / "cache")]
        arguments += ["--hub", hub.address, *options, "pull", key]
        return manage_models.main(arguments), place

    return run


def test_a_checkpoint_of_one_file_is_called_by_its_key(pull, hub, capsys):
    code, models = pull()
    told = capsys.readouterr()
    assert code == 0
    target = models / "checkpoints" / "tiny.safetensors"
    assert target.read_bytes() == (hub.folder / FILE).read_bytes()
    assert f"tiny is there: {target}" in told.out
    assert "Tiny: licence MIT, https://opensource.org/license/mit" in told.err
    assert hub.fetched == [FILE]


def test_it_may_be_called_otherwise(pull):
    code, models = pull("--name", "mine")
    assert code == 0
    assert (models / "checkpoints" / "mine.safetensors").is_file()


def test_a_broken_download_goes_on_where_it_ended(pull, hub, capsys):
    hub.breaks[FILE] = 20_000
    code, models = pull()
    assert code == 1
    assert "could not be fetched" in capsys.readouterr().err
    assert not (models / "checkpoints").exists()
    hub.breaks.clear()
    hub.headers.clear()
    assert pull()[0] == 0
    assert "bytes=20000-" in [headers.get("Range") for headers in hub.headers]


def test_the_catalogues_hash_is_held_against_the_hubs(pull, hub, capsys):
    wrong = f'{{ path = "{FILE}", bytes = 5, sha256 = "{"0" * 64}" }}'
    assert pull(files=wrong)[0] == 1
    assert "is not the file that the catalogue knows" in capsys.readouterr().err
    assert hub.fetched == []
    data = (hub.folder / FILE).read_bytes()
    right = hashlib.sha256(data).hexdigest()
    assert pull(files=f'{{ path = "{FILE}", bytes = {len(data)}, sha256 = "{right}" }}')[0] == 0


def test_what_arrives_is_held_against_the_catalogue_where_the_hub_states_nothing(pull, hub, capsys):
    (hub.folder / "small.safetensors").write_bytes(b"x" * (LARGE - 1))
    small = f'{{ path = "small.safetensors", sha256 = "{"0" * 64}" }}'
    assert pull(files=small)[0] == 1
    assert "is not the file it should be" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"kind": "lora"}, "not the lora that the catalogue says"),
        ({"family": "sdxl"}, "not the checkpoint that the catalogue says"),
        ({"inpainting": "true"}, "not the checkpoint that the catalogue says"),
        ({"files": '{ path = "gone.safetensors" }'}, r"has no gone\.safetensors any more"),
        ({"repository": "owner/none"}, "The hub has no model owner/none"),
    ],
)
def test_what_the_hub_has_must_be_what_the_catalogue_says(pull, capsys, changed, words):
    code, models = pull(**changed)
    told = capsys.readouterr().err.replace("\\", "")
    assert code == 1
    assert words.replace("\\", "") in told
    assert [path.name for path in models.iterdir()] == [CATALOGUE_FILE]


def test_an_autoencoder_takes_the_name_of_its_checkpoint(pull):
    vae = {"kind": "vae", "files": '{ path = "vae.safetensors" }', "goes_with": "sd15"}
    code, models = pull(**vae)
    assert code == 0
    assert (models / "vae" / "sd15.safetensors").is_file()
    assert (pull("--name", "other", **vae)[1] / "vae" / "other.safetensors").is_file()


def test_a_pipeline_and_a_captioner_are_folders(pull):
    code, models = pull(layout="pipeline", repository="owner/pipeline", files="")
    assert code == 0
    assert (models / "checkpoints" / "tiny" / "unet").is_dir()
    files = '{ path = "config.json" }, { path = "model.safetensors" }'
    captioner = {"kind": "captioner", "layout": "folder", "repository": "owner/captioner"}
    code, models = pull(**captioner, files=files)
    assert code == 0
    assert {path.name for path in (models / "tiny").iterdir()} == {
        "config.json",
        "tokenizer.json",
        "model.safetensors",
    }


def test_a_licence_that_forbids_earning_is_agreed_to_first(pull, hub, monkeypatch, capsys):
    bound = {"licence": "sai-nc-community"}
    assert pull(**bound)[0] == 1
    assert "Say --accept-licence" in capsys.readouterr().err
    assert hub.headers == []
    for answer, code in (("n\n", 1), ("yes\n", 0)):
        terminal = io.StringIO(answer)
        terminal.isatty = lambda: True
        monkeypatch.setattr(sys, "stdin", terminal)
        assert pull(**bound)[0] == code
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    assert pull("--accept-licence", **bound)[0] == 0


def test_a_gated_model_is_given_to_the_owner_of_a_token_file(pull, hub, tmp_path, capsys):
    hub.gated = "auto"
    assert pull()[0] == 1
    assert "EASEL_HUB_TOKEN_FILE" in capsys.readouterr().err
    token_file = tmp_path / "token"
    token_file.write_text(f"{TOKEN}\n")
    assert pull("--hub-token-file", str(token_file))[0] == 0
    assert TOKEN not in "".join(capsys.readouterr())


@pytest.mark.parametrize("content", [None, "", "two words"])
def test_a_token_file_without_a_token_is_refused(pull, tmp_path, capsys, content):
    token_file = tmp_path / "token"
    if content is not None:
        token_file.write_text(content)
    assert pull("--hub-token-file", str(token_file))[0] == 1
    assert str(token_file) in capsys.readouterr().err


def test_what_is_there_already_is_not_fetched_again(pull, hub, tmp_path, capsys):
    _, models = pull()
    hub.fetched.clear()
    arguments = ["--models", str(models), "--cache", str(tmp_path), "--hub", hub.address]
    assert manage_models.main([*arguments, "pull", "tiny"]) == 1
    assert "There is a tiny.safetensors already" in capsys.readouterr().err
    assert hub.fetched == []
