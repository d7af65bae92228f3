"""Checkpoints by their id on the Hugging Face hub, fetched whole into the models folder.

Only what Easel reads is fetched: configs, tokenizers and safetensors in diffusers' layout, the
weights in half precision where the repository has them. `huggingface_hub` lists them, with their
sizes and the SHA-256 of large ones; our own download fetches them, since the library's begins a
file anew after an interruption and does not compare its SHA-256.
"""

from __future__ import annotations

import functools
import json
import re
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from huggingface_hub import HfApi, constants, hf_hub_url
from huggingface_hub.errors import HfHubHTTPError, HTTPError

from inference.model_files.download import (
    DENIED_STATUSES,
    SOCKET_TIMEOUT_SECONDS,
    RemoteFile,
    download_file,
)
from inference.model_files.errors import (
    AccessDenied,
    CorruptWeights,
    MissingWeights,
    UnsupportedWeights,
)
from inference.model_files.files import PIPELINE_INDEX, SAFETENSORS_SUFFIX
from inference.model_files.header import read_header
from inference.model_files.pipelines.flow_families import FLOW_FAMILIES

constants.HF_HUB_DISABLE_TELEMETRY = True

HUB_URL = "https://huggingface.co"
#: `owner/name`, as the hub writes ids.
HUB_ID_PATTERN = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
PIPELINE_CLASSES = (
    "StableDiffusionPipeline",
    "StableDiffusionInpaintPipeline",
    "StableDiffusionXLPipeline",
    "StableDiffusionXLInpaintPipeline",
    *(name for family in FLOW_FAMILIES.values() for name in family.pipeline_classes),
)
#: What Easel loads: no safety checkers, no pickles, no other programs' weights beside them.
PIPELINE_FILE_PATTERN = re.compile(
    r"model_index\.json"
    r"|(unet|transformer|vae|text_encoder(?:_[23])?|tokenizer(?:_[23])?|processor|scheduler)/("
    r"(?P<weights>"
    r"(model|diffusion_pytorch_model)(\.fp16)?(-\d{5}-of-\d{5})?(\.fp16)?\.safetensors)|"
    r"(?P<index>(model|diffusion_pytorch_model)\.safetensors\.index(\.fp16)?\.json)|"
    r"(?!.*\.index\.)[^/]+\.(json|txt|jinja)|spiece\.model)"
)
HALF_PRECISION_SIGN = ".fp16"
#: Bytes of a disk that a download leaves free.
SPARE_BYTES = 2**28
#: Is told a file's place, how much of it is here and how much it has, in bytes.
FileListener = Callable[[str, int, int | None], None]


@dataclass(frozen=True)
class ModelHub:
    """Where repositories are fetched from, and as whom."""

    url: str = HUB_URL
    token: str | None = field(default=None, repr=False)


PUBLIC_HUB = ModelHub()


def is_hub_id(name: str) -> bool:
    """Tell a hub's `owner/name` from the key of an upscaler."""
    return HUB_ID_PATTERN.fullmatch(name) is not None


def pull_checkpoint(
    repository: str,
    target: Path,
    cache: Path,
    limit: float,
    tell: FileListener = lambda _place, _bytes, _size: None,
    hub: ModelHub = PUBLIC_HUB,
) -> Path:
    """Fetch a checkpoint to the folder `target`, going on with what an earlier try has fetched.

    It is moved there when it is whole; `limit` is seconds for each file.

    Raises:
        MissingWeights: the hub does not give it in time; what is here stays for the next try.
        UnsupportedWeights: it is of another kind or pickled, or something lies there.
        CorruptWeights: a file is not what the hub states.
    """
    check_target(target)
    files = _choose_files(list_repository(repository, hub))
    folder = repository_folder(repository, cache)
    index = None
    if PIPELINE_INDEX in files:
        index_file = {PIPELINE_INDEX: files[PIPELINE_INDEX]}
        index = fetch_files(repository, index_file, folder, limit, tell) / PIPELINE_INDEX
    _check_pipeline(repository, index, files)
    fetch_files(repository, files, folder, limit, tell)
    return move_into_place(folder, target)


def _choose_files(repository_files: Mapping[str, RemoteFile]) -> dict[str, RemoteFile]:
    """Choose what to fetch; of each part's weights one precision, half where it is there."""
    matches = [
        match
        for path in sorted(repository_files)
        if (match := PIPELINE_FILE_PATTERN.fullmatch(path))
    ]
    half_precision_parts = {
        match[1] for match in matches if match["weights"] and HALF_PRECISION_SIGN in match.string
    }
    files: dict[str, RemoteFile] = {}
    for match in matches:
        is_half = HALF_PRECISION_SIGN in match.string
        is_weights = match["weights"] or match["index"]
        if not is_weights or is_half is (match[1] in half_precision_parts):
            files[match.string] = repository_files[match.string]
    return files


def check_target(target: Path) -> None:
    """See that nothing lies where a model shall lie.

    Raises:
        UnsupportedWeights: something does.
    """
    if target.exists():
        raise UnsupportedWeights(f"There is a {target.name} already; give another --name.")


def repository_folder(repository: str, cache: Path) -> Path:
    """Give the folder in which a repository's files are gathered."""
    return cache / "hub" / repository.replace("/", "--")


def move_into_place(fresh: Path, target: Path) -> Path:
    """Lay what was fetched where it belongs, from another disk, too."""
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(fresh, target)
    return target


def list_repository(
    repository: str, hub: ModelHub, revision: str | None = None
) -> dict[str, RemoteFile]:
    """List what a repository holds, by its path there.

    Raises:
        MissingWeights: there is none, it is not for everybody, or the hub does not answer.
    """
    try:
        info = HfApi(hub.url, token=hub.token or False).model_info(
            repository, revision=revision, files_metadata=True, timeout=SOCKET_TIMEOUT_SECONDS
        )
    except HfHubHTTPError as error:
        status = error.response.status_code
        if status in DENIED_STATUSES:
            raise AccessDenied(_describe_gate(repository, hub)) from error
        raise MissingWeights(f"The hub has no model {repository}: {status}.") from error
    except (HTTPError, OSError, ValueError) as error:
        raise MissingWeights(
            f"The hub cannot be reached: {error}. Check the network, or name a mirror with "
            "EASEL_HUB_URL."
        ) from error
    if info.gated and hub.token is None:
        raise AccessDenied(_describe_gate(repository, hub))
    return {
        entry.rfilename: RemoteFile(
            hf_hub_url(repository, entry.rfilename, revision=info.sha, endpoint=hub.url),
            entry.size,
            entry.lfs.sha256 if entry.lfs else None,
            hub.token,
        )
        for entry in info.siblings or ()
    }


def fetch_files(
    repository: str,
    files: Mapping[str, RemoteFile],
    folder: Path,
    limit: float,
    tell: FileListener,
) -> Path:
    """Fetch files to their places in a folder, which is returned; those that are whole stay.

    Raises:
        MissingWeights: the hub does not give one in time, or the disk has no room for them.
        CorruptWeights: one is not what is stated of it.
        UnsupportedWeights: one is no safetensors file though it is called so.
    """
    missing_files = {
        place: file for place, file in files.items() if not _is_whole(folder / place, file)
    }
    check_free_space(folder, missing_files.values())
    for place, file in missing_files.items():
        listener = functools.partial(_tell_size, tell, place, file.size)
        try:
            download_file(file, folder / place, limit, listener)
        except AccessDenied as error:
            site = ModelHub(file.url.partition(f"/{repository}/")[0], file.token)
            raise AccessDenied(_describe_gate(repository, site)) from error
    for place in files:
        if place.endswith(SAFETENSORS_SUFFIX):
            read_header(folder / place)
    return folder


def check_free_space(folder: Path, files: Iterable[RemoteFile]) -> None:
    """See that files have room beside what lies there of them already.

    Raises:
        MissingWeights: they have not; the message says how much is lacking.
    """
    place = folder.absolute()
    existing = next(path for path in (place, *place.parents) if path.exists())
    needed_bytes = sum(file.size or 0 for file in files) + SPARE_BYTES
    free_bytes = shutil.disk_usage(existing).free
    free_bytes += sum(part.stat().st_size for part in folder.rglob("*.part"))
    if free_bytes < needed_bytes:
        raise MissingWeights(
            f"It takes {needed_bytes / 1e9:.1f} GB on the disk of {folder}, which has "
            f"{free_bytes / 1e9:.1f} GB free. Make room there, or set EASEL_DATA_DIR to a folder "
            "on another disk."
        )


def _is_whole(path: Path, file: RemoteFile) -> bool:
    return path.is_file() and path.stat().st_size == file.size


def _tell_size(tell: FileListener, place: str, size: int | None, count: int) -> None:
    tell(place, count, size)


def _describe_gate(repository: str, hub: ModelHub) -> str:
    """Say how to come by what the hub does not give to everybody."""
    page = f"{hub.url}/{repository}"
    if hub.token is not None:
        return (
            f"The hub does not give {repository} to the owner of your token. Open {page} in a "
            "browser where you are logged in as that owner, accept the licence there, and run the "
            "same command again."
        )
    return (
        f"{repository} is not on the hub, or not for everybody. If {page} asks you to accept a "
        f"licence, log in there and accept it; make a token that may read at "
        f"{hub.url}/settings/tokens, put it into a file, and name that file with "
        "EASEL_HUB_TOKEN_FILE. Or download it by hand and lay its folder among the models."
    )


def _check_pipeline(repository: str, index: Path | None, places: Iterable[str]) -> None:
    """See that Easel runs a checkpoint, by its index and its files' names.

    Raises:
        UnsupportedWeights: it is of another family or pickled.
        CorruptWeights: its index is no JSON.
    """
    try:
        family = index and json.loads(index.read_bytes()).get("_class_name")
    except (ValueError, AttributeError) as error:
        raise CorruptWeights(f"The hub's answer on {repository} is no JSON.") from error
    if family not in PIPELINE_CLASSES:
        titles = dict.fromkeys(family.title for family in FLOW_FAMILIES.values())
        raise UnsupportedWeights(
            f"{repository} is a {family or 'repository without a pipeline'}; Easel runs Stable "
            f"Diffusion 1, 2 and XL, {', '.join(titles)} in diffusers' layout."
        )
    weights = [place for place in places if place.endswith(SAFETENSORS_SUFFIX)]
    if not any(place.startswith(("unet/", "transformer/")) for place in weights):
        raise UnsupportedWeights(
            f"{repository} has no safetensors weights. Pickles can run code when they are opened; "
            "take another repository of that checkpoint."
        )
