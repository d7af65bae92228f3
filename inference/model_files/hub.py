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

from inference.model_files.download import SOCKET_TIMEOUT_SECONDS, RemoteFile, download_file
from inference.model_files.errors import CorruptWeights, MissingWeights, UnsupportedWeights
from inference.model_files.header import read_header

HUB_URL = "https://huggingface.co"
#: `owner/name`, as the hub writes ids.
HUB_ID_PATTERN = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
#: Parts of a pipeline that Easel loads; safety checkers and feature extractors are none.
PIPELINE_PARTS = (
    "unet",
    "vae",
    "text_encoder",
    "text_encoder_2",
    "tokenizer",
    "tokenizer_2",
    "scheduler",
)
PIPELINE_CLASSES = (
    "StableDiffusionPipeline",
    "StableDiffusionInpaintPipeline",
    "StableDiffusionXLPipeline",
    "StableDiffusionXLInpaintPipeline",
)
PIPELINE_INDEX = "model_index.json"
SAFETENSORS_SUFFIX = ".safetensors"
HALF_PRECISION_SUFFIX = f".fp16{SAFETENSORS_SUFFIX}"
SHARD_PATTERN = re.compile(r"-\d{5}-of-\d{5}")
#: Bytes of an answer that describes a repository; real ones are far smaller.
MAX_ANSWER_BYTES = 8 * 2**20


class HubFile(NamedTuple):
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
    return HUB_ID_PATTERN.fullmatch(name) is not None


def pull_checkpoint(
    repository: str,
    target: Path,
    cache: Path,
    limit: float,
    tell: Callable[[int], None] = lambda _bytes: None,
    endpoint: str = HUB_URL,
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
    _check_family(repository, _fetch_json(f"{resolve}/{PIPELINE_INDEX}", repository))
    tree_entries = _fetch_json(
        f"{endpoint}/api/models/{repository}/tree/main?recursive=true", repository
    )
    for file in _files_to_fetch(repository, tree_entries):
        local_path = fresh / file.place
        if not local_path.is_file() or local_path.stat().st_size != file.size:
            remote_file = RemoteFile(f"{resolve}/{file.source}", file.size, file.sha256)
            download_file(remote_file, local_path, limit, tell)
        if local_path.suffix == SAFETENSORS_SUFFIX:
            read_header(local_path)
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(fresh, target)
    return target


def _check_family(repository: str, index: Any) -> None:
    family = index.get("_class_name") if isinstance(index, dict) else None
    if family not in PIPELINE_CLASSES:
        raise UnsupportedWeights(
            f"{repository} is a {family or 'repository without a pipeline'}; Easel runs Stable "
            "Diffusion 1, 2 and XL in diffusers' layout."
        )


def _files_to_fetch(repository: str, tree_entries: Any) -> Iterator[HubFile]:
    """List what to fetch."""
    entries = {
        str(entry["path"]): entry
        for entry in tree_entries
        if entry.get("type") == "file" and _is_ours(str(entry["path"]))
    }
    if not any(path.startswith("unet/") and path.endswith(SAFETENSORS_SUFFIX) for path in entries):
        raise UnsupportedWeights(
            f"{repository} has no safetensors weights. Pickles can run code when they are opened; "
            "take another repository of that checkpoint."
        )
    for path, entry in sorted(entries.items()):
        if SHARD_PATTERN.search(path):
            raise UnsupportedWeights(f"{repository} has split weights, which Easel cannot read.")
        if f"{path.removesuffix(SAFETENSORS_SUFFIX)}{HALF_PRECISION_SUFFIX}" in entries:
            continue
        place = (
            f"{path.removesuffix(HALF_PRECISION_SUFFIX)}{SAFETENSORS_SUFFIX}"
            if path.endswith(HALF_PRECISION_SUFFIX)
            else path
        )
        yield HubFile(path, place, int(entry["size"]), (entry.get("lfs") or {}).get("oid"))


def _is_ours(path: str) -> bool:
    """Tell a pipeline's files from pictures, pickles and other programs' weights beside them."""
    folder, _, name = path.rpartition("/")
    if not folder:
        return name == PIPELINE_INDEX
    if name.endswith(SAFETENSORS_SUFFIX):
        stem = SHARD_PATTERN.sub("", name.removesuffix(SAFETENSORS_SUFFIX).removesuffix(".fp16"))
        return folder in PIPELINE_PARTS and stem in ("model", "diffusion_pytorch_model")
    return folder in PIPELINE_PARTS and name.endswith((".json", ".txt")) and ".index." not in name


def _fetch_json(url: str, repository: str) -> Any:
    """Read a page of the hub's.

    Raises:
        MissingWeights: there is none, it is not for everybody, or the hub does not answer.
        CorruptWeights: it is no JSON.
    """
    try:
        with urllib.request.urlopen(url, timeout=SOCKET_TIMEOUT_SECONDS) as answer:  # noqa: S310
            return json.loads(answer.read(MAX_ANSWER_BYTES))
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
