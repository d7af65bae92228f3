import json

from inference.interrogation.shelf import Shelf, find_shelf


def folder(path, **config):
    path.mkdir(parents=True)
    if config:
        (path / "config.json").write_text(json.dumps(config))
    return path


def test_models_are_told_by_what_their_folders_hold(tmp_path):
    host = tmp_path / "models"
    blip = folder(host / "b-large", model_type="blip")
    folder(host / "c-base", model_type="blip")
    clip = folder(host / "vit-l", model_type="clip", architectures=["CLIPModel"])
    tagger = folder(host / "wd", model_type="vit", architectures=["ViTForImageClassification"])
    folder(host / "sd" / "unet", model_type="clip")
    pack = tmp_path / "pack"
    folder(pack / "captioner", model_type="blip")
    assert Shelf(blip, clip, tagger, starter=False) == find_shelf(host, pack)


def test_the_pack_stands_in_where_the_host_has_neither(tmp_path):
    pack = tmp_path / "pack"
    clip = folder(pack / "clip", model_type="clip")
    assert Shelf(None, clip, None, starter=True) == find_shelf(tmp_path / "none", pack)
    captioner = folder(pack / "captioner", model_type="blip")
    assert Shelf(captioner, clip, None, starter=True) == find_shelf(tmp_path / "none", pack)


def test_the_packs_clip_never_ranks_a_hosts_captions(tmp_path):
    host, pack = tmp_path / "models", tmp_path / "pack"
    blip = folder(host / "blip", model_type="blip")
    folder(pack / "clip", model_type="clip")
    assert Shelf(blip, None, None, starter=False) == find_shelf(host, pack)


def test_a_tagger_is_known_by_its_tag_file_too(tmp_path):
    tagger = folder(tmp_path / "models" / "onnx")
    (tagger / "selected_tags.csv").write_text("")
    assert tagger == find_shelf(tmp_path / "models", tmp_path / "pack").tagger


def test_a_damaged_config_is_no_model(tmp_path):
    broken = folder(tmp_path / "models" / "x")
    (broken / "config.json").write_text("{")
    assert Shelf(None, None, None, starter=True) == find_shelf(tmp_path / "models", tmp_path)
