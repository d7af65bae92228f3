"""A file's LoRA is found by the hash beside its name, whatever it is called here."""

import pytest

from inference.api.infotext.readers import GenerationInfo
from inference.api.infotext.to_job import job_from_info
from inference.api.messages import ModelInfo
from inference.api.notices import Notice

DIGEST, OTHER = "9f8e7d6c5b4a", "000011112222"


def lora(name, digest):
    return ModelInfo(name=name, kind="lora", size=0, digest=digest)


MODELS = (lora("file_v3", DIGEST), lora("ink", OTHER), lora("plain", ""))


@pytest.mark.parametrize(
    ("prompt", "values", "expected", "notes"),
    [
        (
            "<lora:my_alias:0.5> a fox",
            {"Lora hashes": f"other: {OTHER}, my_alias: {DIGEST}"},
            "<lora:file_v3:0.5> a fox",
            [Notice("like.lora_found", name="my_alias", found="file_v3")],
        ),
        (
            "<lora:name=my, alias>",  # commas are left out of lists of hashes
            {"Lora hashes": f"my alias: {DIGEST}"},
            "<lora:name=file_v3>",
            [Notice("like.lora_found", name="my, alias", found="file_v3")],
        ),
        (
            "<Lora:ink:1>",  # of that name there is another file
            {"Lora hashes": f"ink: {DIGEST[:10].upper()}"},
            "<Lora:file_v3:1>",
            [Notice("like.lora_found", name="ink", found="file_v3")],
        ),
        (
            "<lora:x:1>",
            {"Hashes": f'{{"model": "{OTHER}", "lora:x": "{DIGEST}"}}'},
            "<lora:file_v3:1>",
            [Notice("like.lora_found", name="x", found="file_v3")],
        ),
        (
            "<lora:ink:1>",
            {"Lora hashes": "ink: aaaabbbbcccc"},
            "<lora:ink:1>",
            [Notice("like.other_lora", name="ink")],
        ),
        ("<lora:ink:1>", {"Lora hashes": f"ink: {OTHER}"}, "<lora:ink:1>", []),
        ("<lora:plain:1>", {"Lora hashes": "plain: aaaabbbbcccc"}, "<lora:plain:1>", []),
        ("<lora:gone:1>", {"Lora hashes": "gone: aaaabbbbcccc"}, "<lora:gone:1>", []),
        ("<lora:gone:1>", {"Lora hashes": "no list", "Hashes": "[1]"}, "<lora:gone:1>", []),
        ("<lora:gone:1>", {"Hashes": "{"}, "<lora:gone:1>", []),
        ("a fox", {"Lora hashes": f"my_alias: {DIGEST}"}, "a fox", []),
    ],
)
def test_a_hash_finds_the_file(prompt, values, expected, notes):
    info = GenerationInfo("any", prompt, "", {"Seed": "1"} | values)
    imported = job_from_info(info, MODELS)

    assert imported.job.prompt == expected
    assert [note for note in imported.notes if "lora" in note.code] == notes


def test_a_prompt_of_ones_own_is_left_alone():
    info = GenerationInfo("any", "<lora:x:1>", "", {"Seed": "1", "Lora hashes": f"x: {DIGEST}"})
    imported = job_from_info(info, MODELS, {"prompt": "<lora:x:1>"})

    assert (imported.job.prompt, imported.notes) == ("<lora:x:1>", ())
