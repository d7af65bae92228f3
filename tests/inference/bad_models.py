"""Two hundred files and folders that no models folder should hold, each of its own kind."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

UNET = Path("unet", "diffusion_pytorch_model.safetensors")
ENTRY = {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]}
DEEP = 40_000  # levels of nesting, more than any reader of JSON follows

Write = Callable[[Path], None]


def safetensors(header: object, data: bytes = bytes(16), length: int | None = None) -> bytes:
    """Lay out a file of that header, whatever it is; `length` is what it says of its own."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return (len(text) if length is None else length).to_bytes(8, "little") + text + data


def with_entry(**changes: object) -> bytes:
    return safetensors({"w": {**ENTRY, **changes}})


def raw_entry(shape: str, offsets: str = "[0,16]") -> bytes:
    return safetensors(
        b'{"w":{"dtype":"F32","shape":%s,"data_offsets":%s}}' % (shape.encode(), offsets.encode())
    )


def bad_contents() -> Iterator[tuple[str, bytes]]:
    """Yield contents of files that end in .safetensors."""
    yield "empty", b""
    yield "zeros", bytes(64)
    yield "pickle", b"PK\x03\x04" + bytes(60)
    yield "web page", b"<!doctype html><html></html>"
    yield "no JSON", safetensors(b"{" + b"x" * 30)
    yield "no UTF-8", safetensors(b'{"\xff\xfe":1}')
    yield "nested lists", safetensors(b'{"w":' + b"[" * DEEP + b"]" * DEEP + b"}")
    yield "nested objects", safetensors(b'{"w":' * DEEP + b"1" + b"}" * DEEP)
    yield "metadata number", safetensors({"__metadata__": 5, "w": ENTRY})
    yield "metadata list", safetensors({"__metadata__": ["a"], "w": ENTRY})
    yield "metadata text", safetensors({"__metadata__": "a", "w": ENTRY})
    yield "metadata nested", safetensors({"__metadata__": {"a": {"b": 1}}, "w": ENTRY})
    yield "metadata null inside", safetensors({"__metadata__": {"a": None}, "w": ENTRY})
    yield "shape beyond numbers", raw_entry("[1e999]")
    yield "shape not a number", raw_entry("[NaN]")
    yield "shape of halves", raw_entry("[2.5,2]")
    yield "shape of 400 digits", raw_entry(f"[{'9' * 400}]")
    yield "shape negative", with_entry(shape=[-2, -2])
    yield "shape overflows", with_entry(shape=[0, 2**40, 2**40], data_offsets=[0, 0])
    yield "shape of truth", with_entry(shape=[True, 4])
    yield "shape is text", with_entry(shape="22")
    yield "shape null", with_entry(shape=None)
    yield "type unknown", with_entry(dtype="F31")
    yield "type is a list", with_entry(dtype=["F32"])
    yield "offsets backwards", with_entry(data_offsets=[16, 0])
    yield "offsets negative", with_entry(data_offsets=[-16, 0])
    yield "offsets three", with_entry(data_offsets=[0, 8, 16])
    yield "offsets far", with_entry(data_offsets=[0, 2**60])
    yield "hole", safetensors({"w": {**ENTRY, "data_offsets": [8, 24]}}, bytes(24))
    yield "data cut", safetensors({"w": ENTRY}, bytes(9))
    yield "data too long", safetensors({"w": ENTRY}, bytes(99))
    yield "header cut", safetensors({"w": ENTRY}, b"", length=10_000)
    yield "header of 89 MB", safetensors({"w": ENTRY}, length=89_000_000)
    yield "header of 2**63", safetensors({"w": ENTRY}, length=2**63)
    yield "entry is a number", safetensors({"w": 5})
    yield "entry is empty", safetensors({"w": {}})
    yield "list", safetensors([ENTRY])


def bad_embeddings() -> Iterator[tuple[str, bytes]]:
    """Yield contents of whole files whose vectors are of no use."""
    for name, shape, end in (("none", [0, 32], 0), ("no width", [4, 0], 0), ("no shape", [], 4)):
        yield (
            name,
            safetensors(
                {"emb_params": {**ENTRY, "shape": shape, "data_offsets": [0, end]}}, bytes(end)
            ),
        )
    sides = {
        name: {**ENTRY, "shape": [], "data_offsets": [at, at + 4]}
        for name, at in (("clip_l", 0), ("clip_g", 4))
    }
    yield "pair of no shape", safetensors(sides, bytes(8))


def special_files() -> Iterator[tuple[str, Write]]:
    """Yield makers of what is no plain file."""
    yield "pipe", os.mkfifo
    yield "link to nothing", lambda path: path.symlink_to("nothing")
    yield "link to itself", lambda path: path.symlink_to(path.name)
    yield "device", lambda path: path.symlink_to("/dev/zero")


def bad_files(models: Path) -> Iterator[Path]:
    """Write every bad content into every folder of files; give the paths."""
    for folder in ("", "checkpoints/deep", "loras", "upscalers"):
        (models / folder).mkdir(parents=True, exist_ok=True)
        for name, content in bad_contents():
            path = models / folder / f"{folder[:2]} {name}.safetensors"
            path.write_bytes(content)
            yield path
    for folder in ("checkpoints", "loras", "upscalers", "embeddings"):
        (models / folder).mkdir(parents=True, exist_ok=True)
        for name, write in special_files():
            path = models / folder / f"{folder[:2]} {name}.safetensors"
            write(path)
            yield path
    for name, content in bad_embeddings():
        path = models / "embeddings" / f"em {name}.safetensors"
        path.write_bytes(content)
        yield path
    path = models / "checkpoints" / "ch header of really 89 MB.safetensors"
    path.write_bytes(safetensors(b'{"__metadata__":{"a":"%s"}}' % (b"x" * 89_000_000)))
    yield path


def spoil_json(place: str, **changes: object) -> Write:
    """Change settings in a copy of a sound folder."""

    def write(folder: Path) -> None:
        path = folder / place
        path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))

    return write


def spoil(place: str, content: bytes | None) -> Write:
    """Change a file of a copy of a sound folder; None takes it away."""

    def write(folder: Path) -> None:
        (folder / place).unlink()
        if content is not None:
            (folder / place).write_bytes(content)

    return write


def pipe(place: str) -> Write:
    def write(folder: Path) -> None:
        (folder / place).unlink()
        os.mkfifo(folder / place)

    return write


NESTED = b"[" * DEEP + b"]" * DEEP
SCHEDULER = "scheduler/scheduler_config.json"
#: What to do to a sound checkpoint in diffusers' layout.
PIPELINE_FAULTS: dict[str, Write] = {
    "unet settings are a list": spoil("unet/config.json", b"[]"),
    "unet settings nested": spoil("unet/config.json", b'{"a":' + NESTED + b"}"),
    "unet settings gone": spoil("unet/config.json", None),
    "unet settings a pipe": pipe("unet/config.json"),
    "unet settings huge": spoil("unet/config.json", b"{" + b" " * 9_000_000 + b"}"),
    "unet settings no UTF-8": spoil("unet/config.json", b"\xff{}"),
    "side is a list": spoil_json("unet/config.json", sample_size=[8, 8]),
    "side is text": spoil_json("unet/config.json", sample_size="8"),
    "side negative": spoil_json("unet/config.json", sample_size=-8),
    "side huge": spoil_json("unet/config.json", sample_size=10**15),
    "five channels": spoil_json("unet/config.json", in_channels=5),
    "channels a list": spoil_json("unet/config.json", in_channels=[4]),
    "a billion wide": spoil_json("unet/config.json", block_out_channels=[10**9, 10**9]),
    "a million layers": spoil_json("unet/config.json", layers_per_block=10**6),
    "a thousand blocks": spoil_json("unet/config.json", block_out_channels=[8] * 1000),
    "another unet": spoil_json("unet/config.json", _class_name="UNetSpatioTemporalConditionModel"),
    "unet is a pipe": pipe(str(UNET)),
    "unet gone": spoil(str(UNET), None),
    "unet a page": spoil(str(UNET), b"<html>" * 9),
    "unet nested": spoil(str(UNET), safetensors(b'{"w":' + NESTED + b"}")),
    "vae settings a list": spoil("vae/config.json", b"[1]"),
    "another vae": spoil_json("vae/config.json", _class_name="AutoencoderKLWan"),
    "text architectures odd": spoil_json("text_encoder/config.json", architectures=5),
    "text architectures nested": spoil_json("text_encoder/config.json", architectures=[[["a"]]]),
    "text settings a list": spoil("text_encoder/config.json", b'["a"]'),
    "text of a billion layers": spoil_json("text_encoder/config.json", num_hidden_layers=10**9),
    "scheduler a list": spoil(SCHEDULER, b"[]"),
    "scheduler nested": spoil(SCHEDULER, b'{"a":' + NESTED + b"}"),
    "scheduler of all steps": spoil_json(SCHEDULER, num_train_timesteps=10**12),
    "scheduler predicts odd": spoil_json(SCHEDULER, prediction_type=["v"]),
    "scheduler of EDM": spoil_json(SCHEDULER, _class_name="EDMEulerScheduler"),
}
#: What to lay into a folder beside a captioner's settings.
DESCRIBER_SETTINGS: dict[str, bytes] = {
    "settings a list": b"[]",
    "settings nested": b'{"model_type":"blip","a":' + NESTED + b"}",
    "settings cut": b'{"model_type":"blip"',
    "architectures a number": b'{"model_type":"blip","architectures":7}',
    "architectures of numbers": b'{"architectures":[7]}',
    "type a list": b'{"model_type":["blip"]}',
    "pictures a list": b'{"model_type":"blip","vision_config":[384]}',
    "numbers beyond all": b'{"model_type":"clip","a":1e999}',
    "labels a list": b'{"architectures":["ViTForImageClassification"],"id2label":["a"]}',
}
LDSR_FAULTS: dict[str, bytes | None] = {
    "unet/config.json": b"[]",
    "vqvae/config.json": b'{"a":' + NESTED + b"}",
    "unet/diffusion_pytorch_model.safetensors": None,
    "vqvae/diffusion_pytorch_model.safetensors": b"<html>" * 9,
    "scheduler/scheduler_config.json": b"7",
}


def bad_folders(models: Path, sound: Path) -> Iterator[Path]:
    """Write bad folders of every kind, spoilt copies of a sound checkpoint first."""
    for name, fault in PIPELINE_FAULTS.items():
        folder = models / "checkpoints" / f"pi {name}"
        shutil.copytree(sound, folder)
        fault(folder)
        yield folder
    for name, settings in DESCRIBER_SETTINGS.items():
        folder = models / f"a {name}"
        folder.mkdir()
        (folder / "config.json").write_bytes(settings)
        yield folder
    for place, content in LDSR_FAULTS.items():
        folder = models / "upscalers" / f"ld {place.replace('/', ' ')}"
        write_ldsr(folder)
        spoil(place, content)(folder)
        yield folder


def write_ldsr(folder: Path) -> None:
    files: dict[str, Any] = {"model_index.json": {"_class_name": "LDMSuperResolutionPipeline"}}
    files |= {"scheduler/scheduler_config.json": {}}
    for part in ("unet", "vqvae"):
        files[f"{part}/config.json"] = {}
    for place, content in files.items():
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        (folder / place).write_text(json.dumps(content))
    for part in ("unet", "vqvae"):
        weights = folder / part / "diffusion_pytorch_model.safetensors"
        weights.write_bytes(safetensors({"w": ENTRY}))


def unsendable_names(models: Path) -> Iterator[Path]:
    """Write sound files under names that are no text."""
    for folder in ("checkpoints", "loras", "upscalers"):
        for name in (b"half \xff", b"line\nbreak"):
            path = Path(os.fsdecode(os.fsencode(models / folder) + b"/" + name + b".safetensors"))
            path.write_bytes(safetensors({"w": ENTRY}))
            yield path


def write_bad_models(models: Path, sound: Path) -> list[Path]:
    """Write all of them; `sound` is the checkpoint's folder that copies are made of."""
    return [*bad_files(models), *bad_folders(models, sound), *unsendable_names(models)]
