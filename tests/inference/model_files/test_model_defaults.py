"""What a checkpoint draws best with: the file beside it, then the catalogue, then its family."""

from __future__ import annotations

import inspect
import json

import pytest

from inference.api.catalogue.entries import SHIPPED_CATALOGUE, read_catalogue
from inference.api.jobs.base import EditingJob
from inference.model_files.defaults import family_defaults
from inference.model_files.defaults.family_defaults import few_step_options, flow_options
from inference.model_files.defaults.recommendation import ModelRecommender
from inference.model_files.pipelines.flow_families import FLOW_FAMILIES

TURBO = read_catalogue().find_entry("sdxl-turbo")


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "checkpoints").mkdir()
    return tmp_path / "checkpoints"


def find(folder, name, digest=""):
    path = folder / f"{name}.safetensors"
    path.touch()
    return ModelRecommender(folder.parent, lambda _: digest).find_recommendation(name, path)


def values_of(recommendation):
    return {default.option: default.value for default in recommendation.defaults}


def origins_of(recommendation):
    return {default.option: default.origin for default in recommendation.defaults}


def test_a_checkpoint_of_which_nobody_says_anything_has_the_jobs_own(folder):
    found = find(folder, "dreamy")
    assert (found.side, found.defaults) == (None, ())


@pytest.mark.parametrize(
    ("name", "digest"),
    [
        ("sdxl-turbo", ""),
        ("SD_XL_Turbo_1.0_fp16", ""),
        ("renamed", TURBO.files[0].sha256[:10]),
    ],
)
def test_the_catalogue_knows_a_file_by_its_names_and_its_hash(folder, name, digest):
    found = find(folder, name, digest)
    assert found.side == 512
    assert values_of(found) == {
        "steps": 4,
        "guidance": 1.0,
        "sampler": "Euler a",
        "schedule": "SGM Uniform",
    }
    assert set(origins_of(found).values()) == {"catalogue"}


def test_the_hosts_own_file_is_before_the_catalogue_and_that_before_the_family(folder):
    side_file = folder / "sdxl-turbo.easel.json"
    side_file.write_text(json.dumps({"steps": 2, "size": 640}), encoding="utf-8")
    found = find(folder, "sdxl-turbo")
    assert (found.side, values_of(found)["steps"], values_of(found)["guidance"]) == (640, 2, 1.0)
    assert origins_of(found) == {
        "steps": "file",
        "guidance": "catalogue",
        "sampler": "catalogue",
        "schedule": "catalogue",
    }
    own_entry = SHIPPED_CATALOGUE.read_text(encoding="utf-8")
    start = own_entry.index('[[models]]\nkey = "sdxl-turbo"')
    entry = own_entry[start : own_entry.index("[[models]]", start + 1)]
    own_file = folder.parent / "catalogue.toml"
    own_file.write_text(entry.replace("sdxl-turbo", "mine_lcm".replace("_", "-"), 1), "utf-8")
    read_catalogue.cache_clear()
    assert values_of(find(folder, "mine-lcm"))["steps"] == 4  # not its family's 6
    assert origins_of(find(folder, "other-lcm"))["steps"] == "family"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('{"guidence": 5, "steps": 9}', "guidance"),
        ('{"guidance": 900, "steps": 9}', "between"),
        ('{"guidance": "much", "steps": 9}', "number"),
        ('{"size": 7, "steps": 9}', "between"),
        ('{"sampler": "Fast", "steps": 9}', "sampler"),
        ('{"guidance": null, "steps": 9}', "guidance"),
    ],
)
def test_a_slip_is_told_and_the_rest_counts(folder, caplog, text, told):
    (folder / "dreamy.easel.json").write_text(text, encoding="utf-8")
    assert values_of(find(folder, "dreamy")) == {"steps": 9}
    assert "dreamy.easel.json" in caplog.text
    assert told in caplog.text


def test_a_file_that_is_no_json_is_told_and_stops_nothing(folder, caplog):
    (folder / "dreamy.easel.json").write_text("steps: 9", encoding="utf-8")
    assert find(folder, "dreamy").defaults == ()
    assert "dreamy.easel.json" in caplog.text


def test_a_file_that_changes_counts_at_once_and_is_read_once(folder, caplog):
    path = folder / "dreamy.safetensors"
    path.touch()
    recommender = ModelRecommender(folder.parent, lambda _: "")
    assert recommender.find_recommendation("dreamy", path).defaults == ()
    (folder / "dreamy.easel.json").write_text('{"steps": 9, "stepz": 9}', encoding="utf-8")
    for _ in range(3):
        assert values_of(recommender.find_recommendation("dreamy", path)) == {"steps": 9}
    assert caplog.text.count("stepz") == 1


def test_a_folders_file_lies_in_it_and_is_its_variants_too(tmp_path):
    variant = tmp_path / "dreamy" / "inpaint"
    (variant / "unet").mkdir(parents=True)
    (variant.parent / "unet").mkdir()
    (tmp_path / "dreamy" / "easel.json").write_text('{"guidance": 4}', encoding="utf-8")
    recommender = ModelRecommender(tmp_path, lambda _: "")
    for name, path in (("dreamy", variant.parent), ("dreamy-inpaint", variant)):
        assert values_of(recommender.find_recommendation(name, path)) == {"guidance": 4}


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("juggernautXL_v9Rdphoto2Lightning", "lightning"),
        ("DreamShaperXL_Turbo_v2_1", "turbo"),
        ("some-lcm", "lcm"),
        ("realisticVisionLCM", "lcm"),
        ("ponyHyper_v2", "hyper"),
        ("hyperrealistic_v5", ""),
        ("Hyperrealism", ""),
        ("turbocharged", ""),
        ("dreamshaper_8", ""),
    ],
)
def test_few_step_checkpoints_are_known_by_their_names(name, kind):
    assert few_step_options(name) == family_defaults.FEW_STEP_OPTIONS.get(kind, {})


def test_a_step_count_in_the_name_is_taken():
    assert few_step_options("sdxl_lightning_4step")["steps"] == 4
    assert few_step_options("xl-hyper-8-steps")["steps"] == 8
    assert few_step_options("lightning_v1.4step")["steps"] == 6
    assert "steps" not in few_step_options("plain_4step")


#: Guidance in our scale over the number that diffusers' pipeline is given.
SCALE_OFFSETS = {"Z-Image": 1.0}


@pytest.mark.parametrize("family", FLOW_FAMILIES.values(), ids=lambda family: family.title)
def test_flow_families_have_what_their_pipelines_take(family):
    import diffusers

    call = inspect.signature(getattr(diffusers, family.pipeline_class).__call__).parameters
    kind = "embedded" if family.guidance_setting else "cfg"
    options = flow_options("some-base", family, kind)
    assert options["steps"] == call["num_inference_steps"].default
    offset = SCALE_OFFSETS.get(family.title, 0.0)
    scale = call["guidance_scale"].default or call["true_cfg_scale"].default
    assert options["guidance"] == scale + offset


@pytest.mark.parametrize(
    ("title", "name", "kind", "steps"),
    [
        ("Z-Image", "Z-Image-Turbo", "cfg", 9),
        ("Z-Image", "zimage_fp16", "cfg", 9),
        ("Z-Image", "Z-Image", "cfg", 50),
        ("FLUX.1", "FLUX.1-schnell", "none", 4),
        ("FLUX.1", "FLUX.1-dev", "embedded", 28),
        ("FLUX.2 klein", "FLUX.2-klein-4B", "none", 4),
        ("Stable Diffusion 3", "stable-diffusion-3.5-large-turbo", "cfg", 4),
    ],
)
def test_distilled_flow_checkpoints_need_few_steps(title, name, kind, steps):
    (family,) = (family for family in FLOW_FAMILIES.values() if family.title == title)
    options = flow_options(name, family, kind)
    assert options["steps"] == steps
    assert (options["guidance"] == 1.0) == (steps < 10)


@pytest.mark.parametrize(
    "options",
    [
        *family_defaults.FEW_STEP_OPTIONS.values(),
        *family_defaults.FLOW_OPTIONS.values(),
        *family_defaults.FEW_STEP_FLOW_OPTIONS.values(),
        family_defaults.FLOW_SAMPLER,
    ],
)
def test_each_is_what_a_job_can_be(options):
    EditingJob(**options)
