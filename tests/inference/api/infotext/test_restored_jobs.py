"""Restored faces in the `parameters` text: as the web UI writes them, and read back."""

import pytest

from inference.api.infotext.job_values import guess_job_type, job_values
from inference.api.infotext.readers import parse_web_ui
from inference.api.infotext.text import format_infotext
from inference.api.infotext.to_job import job_from_info
from inference.api.jobs import ImagineJob, Img2ImgJob, InpaintJob, UpscaleJob
from inference.api.messages import ModelInfo

MODELS = (
    ModelInfo(name="gfpgan-1.4", kind="face_restorer", size=0, about="GFPGAN"),
    ModelInfo(name="codeformer", kind="face_restorer", size=0, about="CodeFormer"),
)
PAINTED = "Steps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1, Size: 64x64"


@pytest.mark.parametrize("name", ["gfpgan-1.4", "codeformer"])
@pytest.mark.parametrize("visibility", [1.0, 0.4])
@pytest.mark.parametrize("job_type", [ImagineJob, Img2ImgJob, InpaintJob, UpscaleJob])
def test_a_restored_job_is_read_back_equal(job_type, name, visibility):
    fields = {"restore_faces": name, "restore_visibility": visibility, "restore_weight": 0.9}
    if job_type is UpscaleJob:
        fields["colourise"] = "ddcolor"
    job = job_type(**fields)
    painted = {} if job_type is UpscaleJob else {"Steps": 20, "Sampler": "Euler a", "Seed": 1}
    text = format_infotext("", "", painted | job_values(job) | {"Version": "Easel 0.1.0"})
    again = job_from_info(parse_web_ui(text), MODELS, {}, job_type)
    assert {field: getattr(again.job, field) for field in fields} == fields
    assert again.notes == ()


def test_the_keys_are_those_of_the_web_ui():
    job = UpscaleJob(restore_faces="codeformer", restore_visibility=0.8, restore_weight=0.0)
    values = job_values(job)
    assert (values["CodeFormer visibility"], values["CodeFormer weight"]) == (0.8, 0.0)
    values = job_values(UpscaleJob(restore_faces="gfpgan-1.4"))
    assert values["GFPGAN visibility"] == 1.0
    assert "CodeFormer weight" not in values
    assert job_values(Img2ImgJob(restore_faces="gfpgan-1.4"))["Face restoration"] == "gfpgan-1.4"


def test_nothing_restored_leaves_no_word():
    values = job_values(UpscaleJob(restore_visibility=0.2, restore_weight=0.1))
    assert not any("Former" in key or "GFPGAN" in key for key in values)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("GFPGAN visibility: 0.7", ("gfpgan-1.4", 0.7, 0.5)),
        ("CodeFormer visibility: 1, CodeFormer weight: 0.25", ("codeformer", 1.0, 0.25)),
    ],
)
def test_the_web_uis_extras_are_read(line, expected):
    text = f"Postprocess upscale by: 2, Postprocess upscaler: Lanczos, {line}"
    info = parse_web_ui(text)
    assert guess_job_type(info.values) is UpscaleJob
    job = job_from_info(info, MODELS, {}, UpscaleJob).job
    assert (job.restore_faces, job.restore_visibility, job.restore_weight) == expected
    assert (job.upscaler, job.factor) == ("Lanczos", 2.0)


def test_the_web_uis_restored_faces_are_restored_by_what_is_here():
    info = parse_web_ui(f"a face\n{PAINTED}, Face restoration: CodeFormer")
    assert job_from_info(info, MODELS).job.restore_faces == "codeformer"
    missing = job_from_info(info, MODELS[:1])
    assert missing.job.restore_faces == ""
    assert [note.code for note in missing.notes if "face" in note.code] == ["like.face_restorer"]
