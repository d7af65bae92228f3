import json
from pathlib import Path

import pytest

from inference.model_files.errors import UnknownModel
from inference.vision.interrogation.installed import InstalledModels, find_installed


def folder(path, **config):
    path.mkdir(parents=True)
    if config:
        (path / "config.json").write_text(json.dumps(config))
    return path


def test_models_are_told_by_what_their_folders_hold(tmp_path):
    host = tmp_path / "models"
    blip = folder(host / "b-large", model_type="blip")
    base = folder(host / "c-base", model_type="blip")
    clip = folder(host / "vit-l", model_type="clip", architectures=["CLIPModel"])
    tagger = folder(host / "wd", model_type="vit", architectures=["ViTForImageClassification"])
    folder(host / "sd" / "unet", model_type="clip")
    pack = tmp_path / "pack"
    folder(pack / "captioner", model_type="blip")
    assert InstalledModels((blip, base), (clip,), (tagger,)) == find_installed(host, pack)


def test_the_pack_stands_in_where_the_host_has_neither(tmp_path):
    pack = tmp_path / "pack"
    clip = folder(pack / "clip", model_type="clip")
    assert InstalledModels((), (clip,), (), starter=True) == find_installed(tmp_path / "none", pack)
    captioner = folder(pack / "captioner", model_type="blip")
    assert InstalledModels((captioner,), (clip,), (), starter=True) == find_installed(
        tmp_path / "none", pack
    )


def test_the_packs_clip_never_ranks_a_hosts_captions(tmp_path):
    host, pack = tmp_path / "models", tmp_path / "pack"
    blip = folder(host / "blip", model_type="blip")
    folder(pack / "clip", model_type="clip")
    assert InstalledModels((blip,)) == find_installed(host, pack)


def test_a_tagger_is_known_by_its_tag_file_too(tmp_path):
    tagger = folder(tmp_path / "models" / "onnx")
    (tagger / "selected_tags.csv").write_text("")
    assert find_installed(tmp_path / "models", tmp_path / "pack").find_tagger() == tagger


def test_a_damaged_config_is_no_model(tmp_path):
    broken = folder(tmp_path / "models" / "x")
    (broken / "config.json").write_text("{")
    assert find_installed(tmp_path / "models", tmp_path) == InstalledModels(starter=True)


def test_a_name_finds_its_model_and_no_other(tmp_path):
    base, large = Path("blip"), Path("blip-large")
    shelf = InstalledModels((base, large), (), (Path("wd"),))
    assert (shelf.find_captioner(), shelf.find_captioner("blip-large")) == (base, large)
    assert InstalledModels().find_captioner() is None
    with pytest.raises(UnknownModel, match=r"Did you mean blip-large or blip\?"):
        shelf.find_captioner("blip-larg")
    with pytest.raises(UnknownModel, match=r"no tagger “deep” here\. There are: wd\."):
        shelf.find_tagger("deep")
    with pytest.raises(UnknownModel, match=r"no tagger “deep” here\. The host has none\.$"):
        InstalledModels().find_tagger("deep")
    with pytest.raises(UnknownModel, match="“wd” is no captioner: set method to tags"):
        shelf.find_captioner("wd")
