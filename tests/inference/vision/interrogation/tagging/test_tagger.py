import json

import pytest
import torch
from transformers import AutoImageProcessor, ViTForImageClassification

from inference.model_files.errors import CorruptWeights, MissingWeights, UnsupportedWeights
from inference.vision.interrogation.tagging import tagger
from inference.vision.interrogation.tagging.tagger import load_tagger
from tests.doubles.describers import TAGS, save_tagger


def test_chances_are_the_networks_own(models, cpu, noise):
    model = ViTForImageClassification.from_pretrained(models / "vit").eval()
    processor = AutoImageProcessor.from_pretrained(models / "vit")
    with torch.inference_mode():
        expected = model(**processor(images=noise, return_tensors="pt")).logits.sigmoid()
    found = load_tagger(models / "vit", cpu).tag_images(noise)
    chances = [[tag.probability for tag in tags] for tags in found]
    torch.testing.assert_close(torch.tensor(chances), expected)
    assert [t.label.name for t in found[0]] == ["general", "explicit", "red_apple", "miku_(v)"]


def test_another_models_tag_file_is_refused(cpu, tmp_path):
    save_tagger(tmp_path, TAGS + "5,hat,0,5\n")
    with pytest.raises(CorruptWeights, match="gives 4 numbers, but its tag file names 5"):
        load_tagger(tmp_path, cpu)


def test_without_preparation_it_says_what_to_add(cpu, tmp_path):
    save_tagger(tmp_path)
    (tmp_path / "preprocessor_config.json").unlink()
    with pytest.raises(MissingWeights, match=r"lacks preprocessor_config\.json"):
        load_tagger(tmp_path, cpu)


def test_timms_layout_needs_timm(cpu, tmp_path, monkeypatch):
    monkeypatch.setattr(tagger, "find_spec", lambda name: None)
    (tmp_path / "config.json").write_text(json.dumps({"architecture": "vit_base_patch16_224"}))
    (tmp_path / "selected_tags.csv").write_text(TAGS)
    with pytest.raises(UnsupportedWeights, match="pip install timm"):
        load_tagger(tmp_path, cpu)


def test_timms_layout_without_timm_runs_as_its_onnx_file(cpu, tmp_path, monkeypatch):
    monkeypatch.setattr(tagger, "find_spec", lambda name: None)
    monkeypatch.setattr(tagger, "load_onnx", lambda folder, device: (folder.name, device))
    (tmp_path / "config.json").write_text(json.dumps({"architecture": "vit_base_patch16_224"}))
    (tmp_path / "selected_tags.csv").write_text(TAGS)
    for name in ("model.safetensors", "model.onnx"):
        (tmp_path / name).touch()
    assert load_tagger(tmp_path, cpu).network == (tmp_path.name, cpu)


def test_a_network_in_transformers_layout_comes_before_its_onnx_file(cpu, tmp_path, noise):
    save_tagger(tmp_path)
    (tmp_path / "model.onnx").write_bytes(b"not looked at")
    assert len(load_tagger(tmp_path, cpu).tag_images(noise)) == 3
