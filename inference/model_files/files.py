"""Which files of the host's models folder are which: names come from here, never from a job."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

log = logging.getLogger(__name__)

#: Names a network that must be in memory for some work: its kind and its registry key.
Weights = tuple[str, str]
#: Kinds of them.
DIFFUSION, UPSCALER, DESCRIBER = "diffusion", "upscaler", "describer"
RESTORER, CONTROL = "restorer", "control"

STARTER_NAME = "starter"
#: Folders of the models folder that hold other things than checkpoints.
CHECKPOINTS_DIR, LORAS_DIR, EMBEDDINGS_DIR, VAES_DIR = "checkpoints", "loras", "embeddings", "vae"
UPSCALERS_DIR, RESTORERS_DIR, CONTROLS_DIR = "upscalers", "restorers", "controlnet"
SAFETENSORS_SUFFIX = ".safetensors"
PICKLE_SUFFIXES = (".ckpt", ".pt", ".pth", ".bin", ".pkl")
GGUF_SUFFIX = ".gguf"
VAE_SUFFIX = f".vae{SAFETENSORS_SUFFIX}"
#: The folder in a checkpoint's folder that makes a second one of it, the variant that inpaints.
INPAINT_DIR = "inpaint"
#: What the hub's own cache puts before a repository's name.
HUB_CACHE_PREFIX = "models--"
#: How deep and how many folders are looked into: a link may lead to a whole disk.
MAX_DEPTH, MAX_FOLDERS = 12, 5000
#: What a folder in diffusers' layout has its denoising network in, and what says of what it is.
NETWORK_PARTS, PIPELINE_INDEX = ("unet", "transformer"), "model_index.json"
UNET_FILE = Path("unet", f"diffusion_pytorch_model{SAFETENSORS_SUFFIX}")


def find_checkpoints(
    models_dir: Path, configured_model: str, starter: Path
) -> tuple[dict[str, Path], str]:
    """List checkpoints by name, and name the configured one.

    They lie in the models folder, or anywhere below its `checkpoints`: folders by their names,
    files without `.safetensors`. Of equal names the first in a shallower folder has it, and the
    others go by their paths. The configured one may be a path instead, and is then named alike. A
    folder's variant follows it.
    """
    checkpoints, name = _whole_checkpoints(models_dir, configured_model, starter)
    for key, path in list(checkpoints.items()):
        if is_variant(path / INPAINT_DIR):
            checkpoints.setdefault(f"{key}-{INPAINT_DIR}", path / INPAINT_DIR)
    return checkpoints, name


def _whole_checkpoints(
    models_dir: Path, configured_model: str, starter: Path
) -> tuple[dict[str, Path], str]:
    paths = [
        path
        for place, depth in ((models_dir, 1), (models_dir / CHECKPOINTS_DIR, MAX_DEPTH))
        for path in find_models(place, is_pipeline, depth)
        if not path.name.lower().endswith(VAE_SUFFIX)
    ]
    checkpoints = name_paths(paths, models_dir / CHECKPOINTS_DIR, starter)
    configured_path = Path(configured_model)
    if configured_model not in checkpoints and (
        is_pipeline(configured_path) or is_file(configured_path)
    ):
        name = configured_path.name if is_folder(configured_path) else configured_path.stem
        if checkpoints.get(name, configured_path).resolve() != configured_path.resolve():
            name = configured_model
        return checkpoints | {name: configured_path}, name
    return checkpoints, configured_model


def is_pipeline(path: Path) -> bool:
    """Whether a folder is a checkpoint in diffusers' layout, of whatever family."""
    return is_file(path / PIPELINE_INDEX) or any(is_folder(path / part) for part in NETWORK_PARTS)


def is_folder(path: Path) -> bool:
    """Whether there is such a folder; what cannot be looked at is none, unlike `Path.is_dir`."""
    return os.path.isdir(path)  # noqa: PTH112


def is_file(path: Path) -> bool:
    """Whether there is such a file; what cannot be looked at is none, unlike `Path.is_file`."""
    return os.path.isfile(path)  # noqa: PTH113


def find_models(
    place: Path, is_model_folder: Callable[[Path], bool], max_depth: int = MAX_DEPTH
) -> list[Path]:
    """List the safetensors files below a folder, and folders that are models as a whole.

    The shallowest come first, at each depth folders before files.
    """
    ranked_paths: list[tuple[int, bool, Path]] = []
    for folder, subfolders, names in _walk_folders(place, max_depth):
        depth = len(folder.parts)
        models = [name for name in subfolders if is_model_folder(folder / name)]
        subfolders[:] = [name for name in subfolders if name not in models]
        ranked_paths += [(depth, False, folder / name) for name in models]
        paths = (folder / name for name in names)
        ranked_paths += [(depth, True, path) for path in paths if _is_weight_file(path)]
    return [path for _, _, path in sorted(ranked_paths)]


def name_paths(paths: Iterable[Path], base: Path, starter: Path | None = None) -> dict[str, Path]:
    """Name files without their endings and folders; who finds a name taken goes by its path.

    The name of a `starter` is its own, where one is given.
    """
    paths_by_name = {STARTER_NAME: starter} if starter else {}
    for path in paths:
        candidates = [folder_name(path) if is_folder(path) else path.stem, path.name]
        if base in path.parents:
            relative_names = (path_name(path, base), path.relative_to(base).as_posix())
            long_names = (f"{base.name}/{name}" for name in relative_names)
            candidates[1:] = [relative_names[0], *long_names]
        name = next((name for name in candidates if name not in paths_by_name), str(path))
        paths_by_name[name] = path
    return paths_by_name


def folder_name(path: Path) -> str:
    """Name a checkpoint's folder; in the hub's own cache, by its repository there.

    That lays `owner/name` as `models--owner--name/snapshots/REVISION`.
    """
    repository = path.parent.parent.name
    if path.parent.name == "snapshots" and repository.startswith(HUB_CACHE_PREFIX):
        return repository.rpartition("--")[2]
    return path.name


def path_name(path: Path, base: Path) -> str:
    """Name a model by its path below a folder, without its ending; elsewhere by its name alone."""
    plain_path = path if is_folder(path) else path.with_suffix("")
    return plain_path.relative_to(base).as_posix() if base in path.parents else plain_path.name


def find_files(models_dir: Path, kind: str) -> dict[str, Path]:
    """List the safetensors files of one folder by name; deeper folders count too."""
    return {path.stem: path for path in reversed(find_paths(models_dir, kind))}


def find_paths(models_dir: Path, kind: str) -> list[Path]:
    """List the safetensors files of one folder in order; deeper and linked folders count too."""
    paths = (
        folder / name for folder, _, names in _walk_folders(models_dir / kind) for name in names
    )
    return sorted(filter(_is_weight_file, paths))


def _is_weight_file(path: Path) -> bool:
    return path.suffix.lower() == SAFETENSORS_SUFFIX


def _walk_folders(
    place: Path, max_depth: int = MAX_DEPTH
) -> Iterator[tuple[Path, list[str], list[str]]]:
    """Walk folders and links to folders, each once; so many and so deep at most."""
    seen_folders: set[str] = set()
    for folder, subfolders, names in os.walk(place, followlinks=True):
        real_folder = os.path.realpath(folder)
        if real_folder in seen_folders:
            subfolders.clear()
            continue
        seen_folders.add(real_folder)
        subfolders.sort()
        yield Path(folder), subfolders, names
        if len(Path(folder).relative_to(place).parts) + 1 >= max_depth:
            subfolders.clear()
        if len(seen_folders) >= MAX_FOLDERS:
            log.warning("%s has more than %d folders: others are not seen.", place, MAX_FOLDERS)
            return


class ModelFolder:
    """The models folder with its files of each kind, listed once until they are to be forgotten."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._paths_by_kind: dict[str, list[Path]] = {}

    def forget_files(self) -> None:
        """Look again for files that are asked for from now on."""
        self._paths_by_kind.clear()

    def list_files(self, kind: str) -> dict[str, Path]:
        """List the safetensors files of one folder by name; of equal names the first counts."""
        return {path.stem: path for path in reversed(self.list_paths(kind))}

    def list_paths(self, kind: str) -> list[Path]:
        """List the safetensors files of one folder, as `find_paths` does."""
        if kind not in self._paths_by_kind:
            self._paths_by_kind[kind] = find_paths(self.path, kind)
        return self._paths_by_kind[kind]


def find_unlisted(models_dir: Path, name: str) -> Path | None:
    """Find a pickle or GGUF file of that name among the checkpoints' files, or None."""
    for place, depth in ((models_dir, 1), (models_dir / CHECKPOINTS_DIR, MAX_DEPTH)):
        for folder, _, names in _walk_folders(place, depth):
            for path in (folder / file_name for file_name in sorted(names)):
                is_unlisted = path.suffix.lower() in (*PICKLE_SUFFIXES, GGUF_SUFFIX)
                if is_unlisted and name in (path.name, path.stem):
                    return path
    return None


def find_gguf_files(models_dir: Path) -> list[Path]:
    """List the GGUF files below a folder."""
    paths = (folder / name for folder, _, names in _walk_folders(models_dir) for name in names)
    return sorted(path for path in paths if path.suffix.lower() == GGUF_SUFFIX)


def is_variant(path: Path) -> bool:
    """Whether a folder holds only what differs from the checkpoint in whose folder it lies."""
    return path.name == INPAINT_DIR and all(is_folder(p / "unet") for p in (path, path.parent))


def part_folder(path: Path, part: str) -> Path:
    """Find a part of a checkpoint's folder; what a variant does not hold is its checkpoint's."""
    own_folder = path / part
    return path.parent / part if is_variant(path) and not is_folder(own_folder) else own_folder


def vae_beside(models_dir: Path, name: str, path: Path) -> Path | None:
    """Find the autoencoder that the host laid beside a checkpoint, or None.

    It is called as the checkpoint is called here, or as its file: with another ending beside it or
    in the checkpoints' folder, or anywhere below that of the autoencoders.
    """
    model_names = (name, path.name if is_folder(path) else path.stem)
    places = (path.parent, models_dir, models_dir / CHECKPOINTS_DIR)
    neighbours = (place / f"{model}{VAE_SUFFIX}" for model in model_names for place in places)
    own_files = find_files(models_dir, VAES_DIR)
    candidates = (*neighbours, *(own_files[model] for model in model_names if model in own_files))
    return next((candidate for candidate in candidates if is_file(candidate)), None)
