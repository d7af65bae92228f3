"""Checkpoints by their id on the Hugging Face hub, fetched whole into the models folder.

Only what Easel reads is fetched: configs, tokenizers and safetensors in diffusers' layout, the
weights in half precision where the repository has them. The hub states every file's size, and the
the SHA-256 of the large ones (its API: https://huggingface.co/docs/hub/api).
"""

from __future__ import annotations

import json
import re
import shutil
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from inference.models.download import SILENCE, Published, fetch
from inference.models.errors import CorruptWeights, MissingWeights, UnsupportedWeights
from inference.models.header import read_header

ENDPOINT = "https://huggingface.co"
#: `owner/name`, as the hub writes ids.
ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
#: Parts of a pipeline that Easel loads; safety checkers and feature extractors are none.
PARTS = ("unet", "vae", "text_encoder", "text_encoder_2", "tokenizer", "tokenizer_2", "scheduler")
FAMILIES = (
    "StableDiffusionPipeline",
    "StableDiffusionInpaintPipeline",
    "StableDiffusionXLPipeline",
    "StableDiffusionXLInpaintPipeline",
)
INDEX = "model_index.json"
SUFFIX = ".safetensors"
HALF = f".fp16{SUFFIX}"
SPLIT = re.compile(r"-\d{5}-of-\d{5}")
#: Bytes of an answer that describes a repository; real ones are far smaller.
MOST = 8 * 2**20


class Wanted(NamedTuple):
    """One file to fetch."""

    source: str
    """Its path in the repository."""
    place: str
    """Its path here: weights lose what marks them as half precision."""
    size: int
    """Bytes."""
    sha256: str | None


def is_hub_id(name: str) -> bool:
    """Tell a hub's `owner/name` from the key of an upscaler."""
    return ID.fullmatch(name) is not None


def pull_checkpoint(
    repository: str,
    target: Path,
    cache: Path,
    limit: float,
    tell: Callable[[int], None] = lambda _bytes: None,
    endpoint: str = ENDPOINT,
) -> Path:
    """Fetch a checkpoint to the folder `target`, going on with what an earlier try has fetched.

    It is moved there when it is whole; `limit` is seconds for each file.

    Raises:
        MissingWeights: the hub does not give it in time; what is here stays for the next try.
        UnsupportedWeights: it is of another kind, pickled or split, or something lies there.
        CorruptWeights: a file is not what the hub states.
    """
    if target.exists():
        raise UnsupportedWeights(f"There is a {target.name} already; give another --name.")
    resolve = f"{endpoint}/{repository}/resolve/main"
    fresh = cache / "hub" / repository.replace("/", "--")
    _check_family(repository, _json(f"{resolve}/{INDEX}", repository))
    listed = _json(f"{endpoint}/api/models/{repository}/tree/main?recursive=true", repository)
    for file in _wanted(repository, listed):
        here = fresh / file.place
        if not here.is_file() or here.stat().st_size != file.size:
            published = Published(f"{resolve}/{file.source}", file.size, file.sha256)
            fetch(published, here, limit, tell)
        if here.suffix == SUFFIX:
            read_header(here)
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(fresh, target)
    return target


def _check_family(repository: str, index: Any) -> None:
    family = index.get("_class_name") if isinstance(index, dict) else None
    if family not in FAMILIES:
        raise UnsupportedWeights(
            f"{repository} is a {family or 'repository without a pipeline'}; Easel runs Stable "
            "Diffusion 1, 2 and XL in diffusers' layout."
        )


def _wanted(repository: str, listed: Any) -> Iterator[Wanted]:
    """List what to fetch."""
    found = {
        str(entry["path"]): entry
        for entry in listed
        if entry.get("type") == "file" and _is_ours(str(entry["path"]))
    }
    if not any(path.startswith("unet/") and path.endswith(SUFFIX) for path in found):
        raise UnsupportedWeights(
            f"{repository} has no safetensors weights. Pickles can run code when they are opened; "
            "take another repository of that checkpoint."
        )
    for path, entry in sorted(found.items()):
        if SPLIT.search(path):
            raise UnsupportedWeights(f"{repository} has split weights, which Easel cannot read.")
        if f"{path.removesuffix(SUFFIX)}{HALF}" in found:
            continue
        place = f"{path.removesuffix(HALF)}{SUFFIX}" if path.endswith(HALF) else path
        yield Wanted(path, place, int(entry["size"]), (entry.get("lfs") or {}).get("oid"))


def _is_ours(path: str) -> bool:
    """Tell a pipeline's files from pictures, pickles and other programs' weights beside them."""
    folder, _, name = path.rpartition("/")
    if not folder:
        return name == INDEX
    if name.endswith(SUFFIX):
        stem = SPLIT.sub("", name.removesuffix(SUFFIX).removesuffix(".fp16"))
        return folder in PARTS and stem in ("model", "diffusion_pytorch_model")
    return folder in PARTS and name.endswith((".json", ".txt")) and ".index." not in name


def _json(url: str, repository: str) -> Any:
    """Read a page of the hub's.

    Raises:
        MissingWeights: there is none, it is not for everybody, or the hub does not answer.
        CorruptWeights: it is no JSON.
    """
    try:
        with urllib.request.urlopen(url, timeout=SILENCE) as answer:  # noqa: S310
            return json.loads(answer.read(MOST))
    except urllib.error.HTTPError as error:
        if error.code in (401, 403):
            raise MissingWeights(
                f"{repository} is not on the hub, or not for everybody. Where its licence must be "
                "accepted, download it by hand and lay its folder among the models."
            ) from error
        raise MissingWeights(f"The hub has no checkpoint {repository}: {error}.") from error
    except OSError as error:
        raise MissingWeights(f"The hub cannot be reached: {error}.") from error
    except ValueError as error:
        raise CorruptWeights(f"The hub's answer on {repository} is no JSON.") from error
