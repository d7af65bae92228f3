"""Checkpoints by their id on the Hugging Face hub, fetched whole into the models folder.

Only what Easel reads is fetched: configs, tokenizers and safetensors in diffusers' layout, the
weights in half precision where the repository has them. `huggingface_hub` lists them, with their
sizes and the SHA-256 of large ones; our own download fetches them, since the library's begins a
file anew after an interruption and does not compare its SHA-256.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

from huggingface_hub import HfApi, constants, hf_hub_url
from huggingface_hub.errors import HfHubHTTPError, HTTPError

from inference.model_files.download import SOCKET_TIMEOUT_SECONDS, RemoteFile, download_file
from inference.model_files.errors import CorruptWeights, MissingWeights, UnsupportedWeights
from inference.model_files.files import SAFETENSORS_SUFFIX
from inference.model_files.header import read_header

constants.HF_HUB_DISABLE_TELEMETRY = True

HUB_URL = "https://huggingface.co"
#: `owner/name`, as the hub writes ids.
HUB_ID_PATTERN = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
PIPELINE_CLASSES = (
    "StableDiffusionPipeline",
    "StableDiffusionInpaintPipeline",
    "StableDiffusionXLPipeline",
    "StableDiffusionXLInpaintPipeline",
)
PIPELINE_INDEX = "model_index.json"
#: What Easel loads: no safety checkers, no pickles, no other programs' weights beside them.
PIPELINE_FILE_PATTERN = re.compile(
    r"model_index\.json|(unet|vae|text_encoder|text_encoder_2|tokenizer|tokenizer_2|scheduler)/("
    r"(model|diffusion_pytorch_model)(-\d{5}-of-\d{5})?(\.fp16)?\.safetensors|"
    r"(?!.*\.index\.)[^/]+\.(json|txt))"
)
SHARD_PATTERN = re.compile(r"-\d{5}-of-\d{5}")


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
    fresh = cache / "hub" / repository.replace("/", "--")
    files = _list_files(repository, endpoint)

    def fetch(place: str) -> Path:
        local_path, file = fresh / place, files[place]
        if not local_path.is_file() or local_path.stat().st_size != file.size:
            download_file(file, local_path, limit, tell)
        if local_path.suffix == SAFETENSORS_SUFFIX:
            read_header(local_path)
        return local_path

    _check_pipeline(repository, fetch(PIPELINE_INDEX) if PIPELINE_INDEX in files else None, files)
    for place in files:
        fetch(place)
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(fresh, target)
    return target


def _list_files(repository: str, endpoint: str) -> dict[str, RemoteFile]:
    """List what to fetch by its place here: weights lose what marks them as half precision.

    Raises:
        MissingWeights: there is none, it is not for everybody, or the hub does not answer.
    """
    try:
        info = HfApi(endpoint, token=False).model_info(
            repository, files_metadata=True, timeout=SOCKET_TIMEOUT_SECONDS
        )
    except HfHubHTTPError as error:
        status = error.response.status_code
        if status not in (401, 403):
            raise MissingWeights(f"The hub has no checkpoint {repository}: {status}.") from error
        info = None
    except (HTTPError, OSError, ValueError) as error:
        raise MissingWeights(f"The hub cannot be reached: {error}.") from error
    if info is None or info.gated:
        raise MissingWeights(
            f"{repository} is not on the hub, or not for everybody. Where its licence must be "
            "accepted, download it by hand and lay its folder among the models."
        )
    files: dict[str, RemoteFile] = {}
    for entry in sorted(info.siblings or (), key=lambda entry: entry.rfilename):
        path, sha256 = entry.rfilename, entry.lfs.sha256 if entry.lfs else None
        if PIPELINE_FILE_PATTERN.fullmatch(path):
            url = hf_hub_url(repository, path, revision=info.sha, endpoint=endpoint)
            # `.fp16.safetensors` sorts before `.safetensors`, whose place it takes.
            files.setdefault(path.replace(".fp16.", "."), RemoteFile(url, entry.size, sha256))
    return files


def _check_pipeline(repository: str, index: Path | None, places: Iterable[str]) -> None:
    """See that Easel runs a checkpoint, by its index and its files' names.

    Raises:
        UnsupportedWeights: it is of another family, pickled or split.
        CorruptWeights: its index is no JSON.
    """
    try:
        family = index and json.loads(index.read_bytes()).get("_class_name")
    except (ValueError, AttributeError) as error:
        raise CorruptWeights(f"The hub's answer on {repository} is no JSON.") from error
    if family not in PIPELINE_CLASSES:
        raise UnsupportedWeights(
            f"{repository} is a {family or 'repository without a pipeline'}; Easel runs Stable "
            "Diffusion 1, 2 and XL in diffusers' layout."
        )
    weights = [place for place in places if place.endswith(SAFETENSORS_SUFFIX)]
    if not any(place.startswith("unet/") for place in weights):
        raise UnsupportedWeights(
            f"{repository} has no safetensors weights. Pickles can run code when they are opened; "
            "take another repository of that checkpoint."
        )
    if any(map(SHARD_PATTERN.search, weights)):
        raise UnsupportedWeights(f"{repository} has split weights, which Easel cannot read.")
