"""Which files of the host's models folder are which: names come from here, never from a job."""

from __future__ import annotations

import os
from pathlib import Path

#: Names a network that must be in memory for some work: its kind and its registry key.
Weights = tuple[str, str]
#: Kinds of them.
DIFFUSION, UPSCALER, DESCRIBER = "diffusion", "upscaler", "describer"

STARTER_NAME = "starter"
#: Folders of the models folder that hold other things than checkpoints.
CHECKPOINTS_DIR, LORAS_DIR, EMBEDDINGS_DIR, VAES_DIR = "checkpoints", "loras", "embeddings", "vae"
UPSCALERS_DIR = "upscalers"
SAFETENSORS_SUFFIX = ".safetensors"
PICKLE_SUFFIXES = (".ckpt", ".pt", ".pth", ".bin", ".pkl")
VAE_SUFFIX = f".vae{SAFETENSORS_SUFFIX}"
#: The folder in a checkpoint's folder that makes a second one of it, the variant that inpaints.
INPAINT_DIR = "inpaint"
UNET_FILE = Path("unet", f"diffusion_pytorch_model{SAFETENSORS_SUFFIX}")


def find_checkpoints(
    models_dir: Path, configured_model: str, starter: Path
) -> tuple[dict[str, Path], str]:
    """List checkpoints by name, folders before files, and name the configured one.

    They lie in the models folder or in its `checkpoints`: folders by their names, files without
    `.safetensors`. The configured one may be a path instead, and is then named alike. A folder's
    variant follows it.
    """
    checkpoints, name = _whole_checkpoints(models_dir, configured_model, starter)
    for key, path in list(checkpoints.items()):
        if is_variant(path / INPAINT_DIR):
            checkpoints.setdefault(f"{key}-{INPAINT_DIR}", path / INPAINT_DIR)
    return checkpoints, name


def _whole_checkpoints(
    models_dir: Path, configured_model: str, starter: Path
) -> tuple[dict[str, Path], str]:
    checkpoints = {STARTER_NAME: starter}
    for place in (models_dir, models_dir / CHECKPOINTS_DIR):
        entries = sorted(place.iterdir()) if place.is_dir() else []
        for path in entries:
            if (path / "unet").is_dir():
                checkpoints.setdefault(path.name, path)
        for path in entries:
            if (
                path.is_file()
                and path.suffix == SAFETENSORS_SUFFIX
                and not path.name.endswith(VAE_SUFFIX)
            ):
                checkpoints.setdefault(path.stem, path)
    configured_path = Path(configured_model)
    if configured_model not in checkpoints and (
        (configured_path / "unet").is_dir() or configured_path.is_file()
    ):
        name = configured_path.name if configured_path.is_dir() else configured_path.stem
        if checkpoints.get(name, configured_path).resolve() != configured_path.resolve():
            name = configured_model
        return checkpoints | {name: configured_path}, name
    return checkpoints, configured_model


def find_files(models_dir: Path, kind: str) -> dict[str, Path]:
    """List the safetensors files of one folder by name; deeper folders count too."""
    return {path.stem: path for path in reversed(find_paths(models_dir, kind))}


def find_paths(models_dir: Path, kind: str) -> list[Path]:
    """List the safetensors files of one folder in order; deeper and linked folders count too."""
    paths: list[Path] = []
    seen_folders: set[str] = set()
    for folder, subfolders, names in os.walk(models_dir / kind, followlinks=True):
        if os.path.realpath(folder) in seen_folders:
            subfolders.clear()
            continue
        seen_folders.add(os.path.realpath(folder))
        paths += [Path(folder, name) for name in names]
    return sorted(path for path in paths if path.suffix.lower() == SAFETENSORS_SUFFIX)


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


def find_pickle(models_dir: Path, name: str) -> Path | None:
    """Find a pickle of that name among the checkpoints' files, or None."""
    for place in (models_dir, models_dir / CHECKPOINTS_DIR):
        for path in sorted(place.iterdir()) if place.is_dir() else ():
            if path.suffix in PICKLE_SUFFIXES and name in (path.name, path.stem):
                return path
    return None


def is_variant(path: Path) -> bool:
    """Whether a folder holds only what differs from the checkpoint in whose folder it lies."""
    return path.name == INPAINT_DIR and all((p / "unet").is_dir() for p in (path, path.parent))


def part_folder(path: Path, part: str) -> Path:
    """Find a part of a checkpoint's folder; what a variant does not hold is its checkpoint's."""
    own_folder = path / part
    return path.parent / part if is_variant(path) and not own_folder.exists() else own_folder


def part_files(path: Path) -> list[Path]:
    """List the weight files of a checkpoint's folder, or the one file that it is.

    Of a variant's network they are both: its own, and those of the weights it shares.
    """
    if path.is_file():
        return [path]
    parts = ("unet", "vae", "text_encoder", "text_encoder_2")
    folders = [part_folder(path, part) for part in parts]
    if is_variant(path):
        folders.append(path.parent / "unet")
    return [file for folder in folders for file in sorted(folder.glob(f"*{SAFETENSORS_SUFFIX}"))]


def main_file(path: Path) -> Path:
    """Give the file by whose hash a checkpoint is known: its own, or its network's."""
    return path / UNET_FILE if path.is_dir() else path


def vae_beside(models_dir: Path, name: str) -> Path | None:
    """Find the autoencoder that the host laid beside a checkpoint, or None."""
    places = (
        models_dir / f"{name}{VAE_SUFFIX}",
        models_dir / CHECKPOINTS_DIR / f"{name}{VAE_SUFFIX}",
        models_dir / VAES_DIR / f"{name}{SAFETENSORS_SUFFIX}",
    )
    return next((place for place in places if place.is_file()), None)
