"""LoRAs are found by every name that a program writes, and equal names are told apart."""

import os

import pytest
import torch
from safetensors.torch import save_file

from inference.api.prompts.extra_networks import read_loras, take_networks
from inference.diffusion.lora.catalog import LoraCatalog
from inference.model_files.files import ModelFolder
from inference.model_files.hashes import FileHashes

FILES = {
    "style/file_v3.safetensors": {"ss_output_name": "my_alias", "sshs_model_hash": "ab" * 32},
    "ink.safetensors": {},
    "b/ink.safetensors": {},
    "a/oil.safetensors": {},
    "a/deep/oil.safetensors": {"ss_output_name": "oil paint"},
    "name .safetensors": {},
    "x=y.safetensors": {},
    "soft, light.safetensors": {},
    "v1.5.SAFETENSORS": {},
    "twin1.safetensors": {"ss_output_name": "twins"},
    "twin2.safetensors": {"ss_output_name": "twins"},
}


@pytest.fixture
def shelf(tmp_path):
    for name, metadata in FILES.items():
        path = tmp_path / "loras" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file({"lora_unet_x.lora_down.weight": torch.ones(2, 3)}, path, metadata)
    (tmp_path / "loras" / "broken.safetensors").write_bytes(b"no")
    return tmp_path


def open_catalog(shelf):
    return LoraCatalog(ModelFolder(shelf), FileHashes(shelf / "h.json"), shelf / "l.json")


@pytest.mark.parametrize(
    ("tag", "name"),
    [
        ("<lora:file_v3:1>", "file_v3"),
        ("<lora:my_alias:1>", "file_v3"),
        ("<lora:style/file_v3:1>", "file_v3"),
        (r"<lora:style\file_v3:1>", "file_v3"),
        ("<lora:file_v3.safetensors:1>", "file_v3"),
        (r"<lora:SDXL\style\file_v3.safetensors:1>", "file_v3"),
        ("<Lora:File_V3:1>", "file_v3"),
        ("<lora: file_v3 :1>", "file_v3"),
        ("<lora:name=file_v3:te=1>", "file_v3"),
        ("<lora:ink:1>", "ink"),
        ("<lora:b/ink:1>", "b/ink"),
        (r"<lora:b\ink.safetensors:1>", "b/ink"),
        ("<lora:a/oil:1>", "a/oil"),
        ("<lora:deep/oil:1>", "a/deep/oil"),
        ("<lora:oil paint:1>", "a/deep/oil"),
        ("<lora:name :1>", "name "),
        ("<lora:name:1>", "name "),
        ("<lora:x=y:1>", "x=y"),
        ("<lora:soft, light:0.5:unet=1>", "soft, light"),
        ("<lora:v1.5:1>", "v1.5"),
    ],
)
def test_a_tag_names_its_file(shelf, tag, name):
    (lora,) = read_loras(take_networks(tag)[1])
    match = open_catalog(shelf).find_lora(lora.name)

    assert (match.name, match.path.is_file(), match.others) == (name, True, ())


@pytest.mark.parametrize("name", ["gone", "", "/", ".safetensors", "..", "../ink2", "broken2"])
def test_what_is_not_there_is_not_found(shelf, name):
    assert open_catalog(shelf).find_lora(name) is None


@pytest.mark.parametrize(
    ("name", "chosen", "others"),
    [("oil", "a/oil", ("a/deep/oil",)), ("twins", "twin1", ("twin2",))],
)
def test_of_several_the_shallowest_is_taken_and_the_others_are_named(shelf, name, chosen, others):
    match = open_catalog(shelf).find_lora(name)

    assert (match.name, match.others) == (chosen, others)


def test_every_name_in_the_list_stands_for_one_file(shelf):
    catalog = open_catalog(shelf)
    paths = {catalog.find_lora(name).path for name in catalog}

    assert len(paths) == len(catalog) == len(FILES) + 1
    assert {info.name: info.digest for info in catalog.list_loras()} == {
        name: "ab" * 6 if name == "file_v3" else "" for name in catalog if name != "broken"
    }


def test_a_hash_that_was_reckoned_is_listed(shelf):
    catalog = open_catalog(shelf)
    digest = catalog.lora_hash(catalog.find_lora("ink").path)

    assert {info.name: info.digest for info in catalog.list_loras()}["ink"] == digest


def test_headers_are_read_once(shelf):
    assert open_catalog(shelf).find_lora("my_alias").name == "file_v3"
    path = shelf / "loras" / "style" / "file_v3.safetensors"
    status = path.stat()
    path.write_bytes(b"x" * status.st_size)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))

    assert open_catalog(shelf).find_lora("my_alias").name == "file_v3"


def test_linked_folders_count_and_circles_end(shelf, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    save_file({"lora_unet_x.lora_down.weight": torch.ones(2, 3)}, elsewhere / "far.safetensors")
    (shelf / "loras" / "link").symlink_to(elsewhere)
    (elsewhere / "circle").symlink_to(elsewhere)

    assert open_catalog(shelf).find_lora("far").path.parent.name == "link"
