"""Which files of the host's models folder are which: names come from here, never from a job."""

from __future__ import annotations

from pathlib import Path

#: Names a network that must be in memory for some work: its kind and its registry key.
Weights = tuple[str, str]
#: Kinds of them.
DIFFUSION, UPSCALER, DESCRIBER = "diffusion", "upscaler", "describer"

STARTER = "starter"
#: Folders of the models folder that hold other things than checkpoints.
CHECKPOINTS, LORAS, EMBEDDINGS, VAES = "checkpoints", "loras", "embeddings", "vae"
UPSCALERS = "upscalers"
SUFFIX = ".safetensors"
PICKLED = (".ckpt", ".pt", ".pth", ".bin", ".pkl")
VAE_SUFFIX = f".vae{SUFFIX}"
#: The folder in a checkpoint's folder that makes a second one of it, the variant that inpaints.
INPAINT = "inpaint"
UNET_FILE = Path("unet", f"diffusion_pytorch_model{SUFFIX}")


def find_checkpoints(shelf: Path, configured: str, starter: Path) -> tuple[dict[str, Path], str]:
    """List checkpoints by name, folders before files, and name the configured one.

    They lie in the models folder or in its `checkpoints`: folders by their names, files without
    `.safetensors`. The configured one may be a path instead, and is then named alike. A folder's
    variant follows it.
    """
    found, name = _whole_checkpoints(shelf, configured, starter)
    for key, path in list(found.items()):
        if is_variant(path / INPAINT):
            found.setdefault(f"{key}-{INPAINT}", path / INPAINT)
    return found, name


def _whole_checkpoints(shelf: Path, configured: str, starter: Path) -> tuple[dict[str, Path], str]:
    found = {STARTER: starter}
    for place in (shelf, shelf / CHECKPOINTS):
        inside = sorted(place.iterdir()) if place.is_dir() else []
        for path in inside:
            if (path / "unet").is_dir():
                found.setdefault(path.name, path)
        for path in inside:
            if path.is_file() and path.suffix == SUFFIX and not path.name.endswith(VAE_SUFFIX):
                found.setdefault(path.stem, path)
    own = Path(configured)
    if configured not in found and ((own / "unet").is_dir() or own.is_file()):
        name = own.name if own.is_dir() else own.stem
        if found.get(name, own).resolve() != own.resolve():
            name = configured
        return found | {name: own}, name
    return found, configured


def find_files(shelf: Path, kind: str) -> dict[str, Path]:
    """List the safetensors files of one folder by name; deeper folders count too."""
    inside = sorted((shelf / kind).rglob(f"*{SUFFIX}")) if (shelf / kind).is_dir() else []
    return {path.stem: path for path in reversed(inside)}


def find_pickle(shelf: Path, name: str) -> Path | None:
    """Find a pickle of that name among the checkpoints' files, or None."""
    for place in (shelf, shelf / CHECKPOINTS):
        for path in sorted(place.iterdir()) if place.is_dir() else ():
            if path.suffix in PICKLED and name in (path.name, path.stem):
                return path
    return None


def is_variant(path: Path) -> bool:
    """Whether a folder holds only what differs from the checkpoint in whose folder it lies."""
    return path.name == INPAINT and all((p / "unet").is_dir() for p in (path, path.parent))


def part_folder(path: Path, part: str) -> Path:
    """Find a part of a checkpoint's folder; what a variant does not hold is its checkpoint's."""
    own = path / part
    return path.parent / part if is_variant(path) and not own.exists() else own


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
    return [file for folder in folders for file in sorted(folder.glob(f"*{SUFFIX}"))]


def main_file(path: Path) -> Path:
    """Give the file by whose hash a checkpoint is known: its own, or its network's."""
    return path / UNET_FILE if path.is_dir() else path


def vae_beside(shelf: Path, name: str) -> Path | None:
    """Find the autoencoder that the host laid beside a checkpoint, or None."""
    places = (
        shelf / f"{name}{VAE_SUFFIX}",
        shelf / CHECKPOINTS / f"{name}{VAE_SUFFIX}",
        shelf / VAES / f"{name}{SUFFIX}",
    )
    return next((place for place in places if place.is_file()), None)
