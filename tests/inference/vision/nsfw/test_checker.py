from __future__ import annotations

import io
import json

import pytest
import torch
from PIL import Image
from transformers import CLIPConfig, ViTConfig, ViTForImageClassification, ViTImageProcessor

from inference.vision.interrogation.tagging.tagger import load_tagger
from inference.vision.nsfw.checker import (
    MAX_CHECKED_FRAMES,
    find_checkers,
    flatten_on_white,
    highest_score,
)
from tests.doubles.describers import save_tagger


class Redness:
    """Scores a picture by its red."""

    name = "redness"
    about = "knows red"

    def __init__(self) -> None:
        self.seen: list[tuple[int, int]] = []

    def nsfw_score(self, image: Image.Image) -> float:
        assert image.mode == "RGB"
        self.seen.append(image.size)
        return image.resize((1, 1)).getpixel((0, 0))[0] / 255


def encoded(*frames: Image.Image, form: str = "PNG") -> bytes:
    out = io.BytesIO()
    more = {"save_all": True, "append_images": frames[1:]} if len(frames) > 1 else {}
    frames[0].save(out, form, **more)
    return out.getvalue()


def plain(colour: str) -> Image.Image:
    return Image.new("RGB", (8, 6), colour)


def test_the_highest_score_of_all_checkers_counts():
    class Never(Redness):
        def nsfw_score(self, image: Image.Image) -> float:
            return 0.25

    assert highest_score(encoded(plain("red")), [Never(), Redness()]) == 1.0
    assert highest_score(encoded(plain("black")), [Never(), Redness()]) == 0.25


@pytest.mark.parametrize("form", ["WEBP", "GIF", "PNG"])
def test_an_animation_is_looked_at_from_begin_to_end(form):
    frames = [Image.new("RGB", (8, 6), (0, 8 * n, 0)) for n in range(20)]
    frames[-1] = plain("red")
    checker = Redness()
    assert highest_score(encoded(*frames, form=form), [checker]) > 0.9
    assert len(checker.seen) == MAX_CHECKED_FRAMES


def test_transparency_hides_nothing():
    clear = Image.new("RGBA", (2, 2), (255, 0, 0, 255))
    clear.putpixel((0, 0), (0, 0, 0, 0))
    assert flatten_on_white(clear).getpixel((0, 0)) == (255, 255, 255)
    assert flatten_on_white(clear).getpixel((1, 1)) == (255, 0, 0)


def test_what_is_no_picture_is_an_error():
    with pytest.raises(OSError):
        highest_score(b"nothing", [Redness()])


@pytest.fixture(scope="module")
def classifier(tmp_path_factory):
    """A host's own detector in transformers' format, with random weights."""
    models = tmp_path_factory.mktemp("models")
    folder = models / "safety" / "tiny"
    config = ViTConfig(
        hidden_size=8,
        num_hidden_layers=1,
        num_attention_heads=1,
        intermediate_size=8,
        image_size=16,
        patch_size=8,
        id2label={0: "normal", 1: "nsfw"},
        label2id={"normal": 0, "nsfw": 1},
    )
    torch.manual_seed(0)
    ViTForImageClassification(config).save_pretrained(folder)
    ViTImageProcessor(size={"height": 16, "width": 16}).save_pretrained(folder)
    return models


def own(models) -> list:
    return [checker for checker in find_checkers(models) if checker.name != "open_nsfw"]


def test_a_hosts_own_classifier_gives_the_share_of_its_unsafe_labels(classifier):
    (checker,) = own(classifier)
    model = ViTForImageClassification.from_pretrained(classifier / "safety" / "tiny").eval()
    pixels = torch.full((1, 3, 16, 16), 1.0)  # white, as the processor scales it
    with torch.inference_mode():
        expected = model(pixel_values=pixels).logits.softmax(-1)[0, 1]
    assert checker.name == "tiny"
    assert checker.nsfw_score(plain("white")) == pytest.approx(float(expected), abs=1e-5)


def test_the_checker_of_stable_diffusion_flags_by_its_own_bounds(tmp_path):
    from diffusers.pipelines.stable_diffusion.safety_checker import StableDiffusionSafetyChecker

    small = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1}
    vision = {**small, "intermediate_size": 8, "image_size": 16, "patch_size": 8}
    config = CLIPConfig(text_config=small, vision_config=vision, projection_dim=4)
    torch.manual_seed(0)
    checker = StableDiffusionSafetyChecker(config)
    for bound in (2.0, -2.0):  # beyond any cosine, and below any
        torch.nn.init.constant_(checker.concept_embeds_weights, bound)
        checker.save_pretrained(tmp_path / "safety" / f"bound{bound:g}")
    never, always = sorted(own(tmp_path), key=lambda one: one.name, reverse=True)
    assert [never.nsfw_score(plain("red")), always.nsfw_score(plain("red"))] == [0.0, 1.0]


@pytest.mark.parametrize(
    "config",
    ["no JSON", "{}", json.dumps({"architectures": ["ViTForImageClassification"]})],
)
def test_a_folder_that_cannot_be_used_is_left_out_and_said(tmp_path, caplog, config):
    folder = tmp_path / "safety" / "broken"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(config)
    assert own(tmp_path) == []
    assert "broken cannot be used" in caplog.text


def test_labels_that_nobody_knows_are_refused(classifier, tmp_path, caplog):
    folder = tmp_path / "safety" / "cats"
    model = ViTForImageClassification.from_pretrained(classifier / "safety" / "tiny")
    model.config.id2label = {0: "cat", 1: "dog"}
    model.save_pretrained(folder)
    ViTImageProcessor(size={"height": 16, "width": 16}).save_pretrained(folder)
    assert own(tmp_path) == []
    assert "none of them unsafe" in caplog.text


def test_a_tagger_scores_by_its_ratings(tmp_path):
    folder = tmp_path / "safety" / "wd"
    save_tagger(folder)
    (tags,) = load_tagger(folder, torch.device("cpu")).tag_images([plain("white")])

    (checker,) = own(tmp_path)

    chances = {tag.label.name: tag.probability for tag in tags}
    assert checker.name == "wd"
    assert checker.nsfw_score(plain("white")) == chances["explicit"]


def test_a_tagger_without_ratings_is_left_out_and_said(tmp_path, caplog):
    folder = tmp_path / "safety" / "wd"
    save_tagger(folder)
    (folder / "selected_tags.csv").unlink()
    (folder / "tags.txt").write_text("hat\ncat\ndog\nred_apple\n")

    assert own(tmp_path) == []
    assert "wd cannot be used: none of its tags is a rating" in caplog.text
