import builtins

import numpy as np
import pytest
from PIL import Image

from inference.model_files.errors import BrokenOutput, CorruptWeights, UnsupportedWeights
from inference.vision.interrogation.onnx import deep_danbooru_pixels, find_onnx, wd_pixels
from inference.vision.interrogation.tagging.tagger import load_tagger
from tests.doubles.describers import TAGS

pytest.importorskip("onnxruntime")
doubles = pytest.importorskip("tests.doubles.onnx_taggers", exc_type=ImportError)

DEEP = "apple\nhat\nrating:safe\nrating:explicit\n"


@pytest.fixture
def wd(tmp_path):
    doubles.save_onnx(tmp_path / "wd" / "model.onnx")
    (tmp_path / "wd" / "selected_tags.csv").write_text(TAGS)
    return tmp_path / "wd"


@pytest.fixture
def deep(tmp_path):
    doubles.save_onnx(tmp_path / "deep" / "deepdanbooru.onnx", batch=1)
    (tmp_path / "deep" / "tags.txt").write_text(DEEP)
    return tmp_path / "deep"


def sigmoid(values):
    return 1 / (1 + np.exp(-values))


def chances(tagger, images):
    return np.array([[tag.probability for tag in tags] for tags in tagger.tag_images(images)])


def test_the_wd_taggers_see_blue_green_red_on_a_white_square(wd, cpu):
    image = Image.new("RGB", (8, 4), (10, 2, 1))
    mean = (np.array([1, 2, 10]) + 255) / 2
    expected = sigmoid(mean @ doubles.WEIGHTS)
    # Bicubic rings at the edge of the white bars; the mean moves a little.
    assert np.abs(chances(load_tagger(wd, cpu), [image])[0] - expected).max() < 0.02
    pixels = wd_pixels(image, 16)
    assert pixels.shape == (16, 16, 3)
    assert pixels[0, 0].tolist() == [255, 255, 255]
    assert pixels[8, 8].tolist() == [1, 2, 10]


def test_deep_danbooru_sees_red_green_blue_with_its_edges_continued(deep, cpu):
    image = Image.new("RGB", (8, 4), (51, 102, 204))
    expected = sigmoid(np.array([0.2, 0.4, 0.8]) @ doubles.WEIGHTS)
    tagger = load_tagger(deep, cpu)
    np.testing.assert_allclose([expected] * 3, chances(tagger, [image] * 3), atol=1e-6)
    assert [t.label.name for t in tagger.tag_images([image])[0]] == [
        "apple",
        "hat",
        "safe",
        "explicit",
    ]
    assert (
        deep_danbooru_pixels(Image.new("L", (4, 4), 255).convert("RGB"), 4).max(),
        deep_danbooru_pixels(Image.new("RGB", (4, 4)), 4).max(),
    ) == (1.0, 0.0)


def test_many_pictures_of_any_shape_are_tagged_as_one_by_one(wd, deep, cpu, noise):
    for folder in (wd, deep):
        tagger = load_tagger(folder, cpu)
        alone = [tagger.tag_images([image])[0] for image in noise]
        assert tagger.tag_images(noise) == alone


def test_model_onnx_comes_first(tmp_path):
    assert find_onnx(tmp_path) is None
    for name in ("b.onnx", "a.onnx"):
        (tmp_path / name).touch()
    assert find_onnx(tmp_path).name == "a.onnx"
    (tmp_path / "model.onnx").touch()
    assert find_onnx(tmp_path).name == "model.onnx"


def test_a_network_of_other_pictures_is_refused(wd, cpu):
    doubles.save_onnx(wd / "model.onnx", side="side")
    with pytest.raises(UnsupportedWeights, match="not pictures as the WD taggers"):
        load_tagger(wd, cpu)


def test_a_damaged_file_is_refused(wd, cpu):
    (wd / "model.onnx").write_bytes(b"no network")
    with pytest.raises(CorruptWeights, match="ONNX file of the tagger wd cannot be read"):
        load_tagger(wd, cpu)


def test_a_network_without_its_sigmoid_is_refused(wd, cpu, noise):
    doubles.save_onnx(wd / "model.onnx", last="Identity")
    with pytest.raises(BrokenOutput, match="no probabilities"):
        load_tagger(wd, cpu).tag_images(noise)


def test_another_models_tag_file_is_refused(wd, cpu, noise):
    (wd / "selected_tags.csv").write_text(TAGS + "5,hat,0,5\n")
    with pytest.raises(CorruptWeights, match="gives 4 numbers, but its tag file names 5"):
        load_tagger(wd, cpu).tag_images(noise)


def test_without_onnxruntime_it_says_what_to_install(wd, cpu, monkeypatch):
    plain = builtins.__import__

    def without(name, *rest, **more):
        if name == "onnxruntime":
            raise ImportError(name)
        return plain(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(UnsupportedWeights, match=r"pip install easel-bot\[tags\]"):
        load_tagger(wd, cpu)
