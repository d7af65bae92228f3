"""The entries of the catalogue, and how they are read."""

from __future__ import annotations

import functools
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from inference.api.did_you_mean import suggest_names
from inference.api.errors import InferenceError

ModelKind = Literal[
    "checkpoint",
    "lora",
    "control",
    "vae",
    "preview",
    "upscaler",
    "face_restorer",
    "captioner",
    "ranker",
    "tagger",
    "segmenter",
    "nsfw",
]
#: `flow` has its place here for the day on which the engine runs such networks.
CatalogueFamily = Literal["", "sd1", "sd2", "sdxl", "flow"]
Layout = Literal["file", "pipeline", "folder", "address"]

CATALOGUE_FILE = "catalogue.toml"
SHIPPED_CATALOGUE = Path(__file__).with_name(CATALOGUE_FILE)
#: Where each kind lies below the models folder; what has an address lies in the cache folder.
KIND_PLACES: Mapping[ModelKind, str] = {
    "checkpoint": "checkpoints",
    "lora": "loras",
    "control": "controlnet",
    "vae": "vae",
    "preview": "vae_approx",
    "upscaler": "upscalers",
    "face_restorer": "restorers",
    "captioner": "",
    "ranker": "",
    "tagger": "",
    "segmenter": "",
    "nsfw": "safety",
}
KEY_PATTERN = re.compile(r"[a-z0-9][a-z0-9.-]*")
SHA256_PATTERN = re.compile(r"[0-9a-f]{64}")
REVISION_PATTERN = re.compile(r"[0-9a-f]{40}")
REPOSITORY_PATTERN = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
#: A card's memory is a little less than what its box says.
MEMORY_TOLERANCE_GB = 0.6


class CatalogueError(InferenceError):
    """The catalogue cannot be used."""

    error_kind = "model"


@dataclass(frozen=True)
class Licence:
    """What one may do with a model."""

    key: str
    title: str
    url: str
    #: Whether it must be agreed to before anything is fetched.
    non_commercial: bool = False


@dataclass(frozen=True)
class CatalogueFile:
    """One file of a model; None where nobody could vouch for the number."""

    #: In the repository, or the whole address.
    path: str
    bytes: int | None = None
    sha256: str | None = None


@dataclass(frozen=True)
class RecommendedDefaults:
    """How a checkpoint draws best."""

    width: int
    height: int
    steps: int
    guidance: float
    sampler: str
    schedule: str


@dataclass(frozen=True, kw_only=True)
class CatalogueEntry:
    """One model."""

    #: What people type, and what it is called when it is here.
    key: str
    title: str
    kind: ModelKind
    #: What it is for, in a few words.
    about: str
    layout: Layout
    licence: Licence
    files: tuple[CatalogueFile, ...]
    #: Empty for what belongs to no family.
    family: CatalogueFamily = ""
    #: Whether it is a checkpoint that fills masked places.
    inpainting: bool = False
    #: Whether it is a checkpoint that edits by instructions.
    editing: bool = False
    #: `owner/name` on the hub; empty for an address.
    repository: str = ""
    #: Commit of the repository; None for the newest.
    revision: str | None = None
    #: GB of a card's memory; None where it needs next to none of its own.
    memory_gb: float | None = None
    #: The checkpoint whose autoencoder it takes the place of, unless another is named.
    goes_with: str = ""
    defaults: RecommendedDefaults | None = field(default=None)

    @property
    def use(self) -> str:
        """Its kind; checkpoints that fill masked places or edit are kinds of their own."""
        if self.editing:
            return "editing"
        return "inpainting" if self.inpainting else self.kind

    @property
    def total_bytes(self) -> int | None:
        """How much there is to fetch; None where the hub has to be asked."""
        sizes = [file.bytes for file in self.files if not file.path.endswith(".json")]
        known_sizes = [size for size in sizes if size is not None]
        return sum(known_sizes) if sizes and len(known_sizes) == len(sizes) else None

    def fits_memory(self, memory_gb: float) -> bool:
        """Whether it runs at its usual size on a card of so much memory, in GB."""
        return self.memory_gb is None or self.memory_gb <= memory_gb + MEMORY_TOLERANCE_GB

    def model_path(self, models_dir: Path, cache_dir: Path, name: str = "") -> Path:
        """Give the file or folder that it is when it is here."""
        if self.layout == "address":
            return cache_dir / KIND_PLACES[self.kind] / f"{self.key}.safetensors"
        place = models_dir / KIND_PLACES[self.kind]
        own_name = name or self.goes_with or self.key
        return place / (f"{own_name}.safetensors" if self.layout == "file" else own_name)


@dataclass(frozen=True)
class Catalogue:
    """All entries, the host's own before those that Easel ships."""

    entries: tuple[CatalogueEntry, ...]

    def find_entry(self, key: str) -> CatalogueEntry:
        """Find the entry of that key.

        Raises:
            CatalogueError: there is none; the message names the nearest.
        """
        entries = {entry.key: entry for entry in self.entries}
        if key not in entries:
            hint = suggest_names(key, entries)
            raise CatalogueError(f"The catalogue has no model “{key}”. {hint}")
        return entries[key]

    def select_entries(
        self, family: str = "", use: str = "", memory_gb: float | None = None
    ) -> list[CatalogueEntry]:
        """List the entries of a family and use that a card of so much memory runs."""
        return [
            entry
            for entry in self.entries
            if family in ("", entry.family)
            and use in ("", entry.use)
            and (memory_gb is None or entry.fits_memory(memory_gb))
        ]

    def propose_checkpoints(self, memory_gb: float | None, count: int = 3) -> list[CatalogueEntry]:
        """List the checkpoints to start with, the best first; None is a host without a card."""
        families = ("sd1",) if memory_gb is None else get_args(CatalogueFamily)
        return [
            entry
            for entry in self.select_entries(use="checkpoint", memory_gb=memory_gb)
            if not entry.licence.non_commercial and entry.family in families
        ][:count]


@functools.cache
def read_catalogue(models_dir: Path | None = None) -> Catalogue:
    """Read the shipped catalogue, with the host's own before it where the models folder has one.

    Raises:
        CatalogueError: an entry is not complete; the message says which and what is wrong.
    """
    shipped_licences, shipped_entries = read_catalogue_file(SHIPPED_CATALOGUE, {})
    own_file = models_dir / CATALOGUE_FILE if models_dir is not None else None
    if own_file is None or not own_file.is_file():
        return Catalogue(shipped_entries)
    _, own_entries = read_catalogue_file(own_file, shipped_licences)
    own_keys = {entry.key for entry in own_entries}
    return Catalogue(
        own_entries + tuple(entry for entry in shipped_entries if entry.key not in own_keys)
    )


def read_catalogue_file(
    path: Path, known_licences: Mapping[str, Licence]
) -> tuple[dict[str, Licence], tuple[CatalogueEntry, ...]]:
    """Read one file of entries, and the licences that they go by.

    Raises:
        CatalogueError: it is no TOML, or an entry is not complete.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
        licences = dict(known_licences) | {
            key: Licence(key, **values) for key, values in content.get("licences", {}).items()
        }
        entries = tuple(_read_entry(values, licences) for values in content.get("models", ()))
    except (OSError, UnicodeError, TypeError, ValueError, AttributeError) as error:
        raise CatalogueError(f"{path} cannot be read as a catalogue: {error}.") from error
    keys = [entry.key for entry in entries]
    for key in keys:
        if keys.count(key) > 1:
            raise CatalogueError(f"The catalogue's entry {key} stands there twice.")
    return licences, entries


def _read_entry(values: Mapping[str, Any], licences: Mapping[str, Licence]) -> CatalogueEntry:
    """Read one entry and see that it is complete.

    Raises:
        CatalogueError: it is not.
        TypeError: a field is missing, or of no name.
    """
    values = dict(values)
    key = values.get("key", "?")
    licence = licences.get(values.pop("licence", ""))
    if licence is None:
        raise CatalogueError(f"The catalogue's entry {key}: its licence is not in the list.")
    files = tuple(CatalogueFile(**file) for file in values.pop("files", ()))
    defaults = values.pop("defaults", None)
    entry = CatalogueEntry(
        licence=licence,
        files=files,
        defaults=RecommendedDefaults(**defaults) if defaults else None,
        **values,
    )
    if problem := _find_problem(entry):
        raise CatalogueError(f"The catalogue's entry {key}: {problem}.")
    return entry


def _find_problem(entry: CatalogueEntry) -> str:
    """Say what an entry lacks; empty where nothing."""
    is_address = entry.layout == "address"
    hashes = [file.sha256 for file in entry.files if file.sha256 is not None]
    sizes = [file.bytes for file in entry.files if file.bytes is not None]
    # What is wrong, and whether it is.
    problems = {
        "its key has other signs than a-z, 0-9, - and .": not KEY_PATTERN.fullmatch(entry.key),
        "its kind is unknown": entry.kind not in get_args(ModelKind),
        "its family is unknown": entry.family not in get_args(CatalogueFamily),
        "its layout is unknown": entry.layout not in get_args(Layout),
        "it says nothing of what it is for": not entry.title or not entry.about,
        "its repository is not owner/name": not is_address
        and not REPOSITORY_PATTERN.fullmatch(entry.repository),
        "its revision is no commit": entry.revision is not None
        and not REVISION_PATTERN.fullmatch(entry.revision),
        "a file has no https address": is_address
        and any(not file.path.startswith("https://") for file in entry.files),
        "a file's path leads out of its folder": any(
            ".." in file.path.split("/") or file.path.startswith("/") for file in entry.files
        ),
        "it names no file": not entry.files and entry.layout != "pipeline",
        "it is one file and names several": entry.layout in ("file", "address")
        and len(entry.files) != 1,
        "a SHA-256 is none": not all(map(SHA256_PATTERN.fullmatch, hashes)),
        "a size is none": any(size <= 0 for size in sizes),
        "a checkpoint has no family, memory or defaults": entry.kind == "checkpoint"
        and not (entry.family and entry.memory_gb and entry.defaults),
    }
    return next((problem for problem, is_so in problems.items() if is_so), "")
