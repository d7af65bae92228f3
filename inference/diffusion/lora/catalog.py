"""The host's LoRA files, found by all the names under which prompts speak of them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inference.api.messages import ModelInfo
from inference.model_files.errors import ModelError
from inference.model_files.files import LORAS_DIR, ModelFolder
from inference.model_files.hashes import FileHashes, file_key, read_values, write_values
from inference.model_files.header import read_header
from inference.model_files.inspection import list_usable

#: What remembers what headers say, in the cache folder.
CATALOG_FILE = "loras.json"
#: Where kohya's trainer writes the name that it was given, and tools a LoRA's hash.
ALIAS_KEY, HASH_KEY = "ss_output_name", "sshs_model_hash"
#: Digits of a LoRA's hash; an embedding's has as many as a checkpoint's.
LORA_HASH_DIGITS = 12
#: Characters that no tag can have in a name.
UNNAMEABLE_CHARACTERS = frozenset(":<>")
MAX_LISTED_LORAS = 2000  # names of at most 255 bytes: far below one frame to the bot

_FILE_ENDING = re.compile(r"\.(?:safetensors|ckpt|pt|pth|bin)$", re.IGNORECASE)


@dataclass(frozen=True)
class FoundLora:
    """A file that a name stands for."""

    #: The name that stands for this file alone.
    name: str
    path: Path
    #: Names of other files that could have been meant as well.
    others: tuple[str, ...] = ()


class LoraCatalog(Collection[str]):
    """The LoRAs of the models folder.

    As a collection it holds the names that each stand for one file: its own, with its folder where
    several have it. `in` also says yes to the other ways of naming one.
    """

    def __init__(self, folder: ModelFolder, hashes: FileHashes, store: Path) -> None:
        """Take the models folder, what remembers hashes, and the file that remembers headers."""
        self._folder, self._hashes, self._store = folder, hashes, store
        #: The alias and the stated hash of files, by path, size and time.
        self._headers: dict[str, Any] = read_values(store)
        self._has_new_headers = False

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self.find_lora(name) is not None

    def __iter__(self) -> Iterator[str]:
        return iter(self._paths_by_name())

    def __len__(self) -> int:
        return len(self._paths_by_name())

    def find_lora(self, name: str) -> FoundLora | None:
        """Find the file that a name stands for, the first of the shallowest folder; or None.

        Names of files go before parts of their paths, those before names without regard to case,
        and last comes the name that its trainer gave a LoRA.
        """
        paths_by_name = self._paths_by_name()
        if name in paths_by_name:
            return FoundLora(name, paths_by_name[name])
        plain_name = _FILE_ENDING.sub("", name.strip().replace("\\", "/")).strip()
        file_name = plain_name.rpartition("/")[2]
        checks: tuple[Callable[[Path], bool], ...] = (
            lambda path: f"/{self._relative_name(path)}".endswith(f"/{plain_name}"),
            lambda path: path.stem.strip() == file_name,
            lambda path: path.stem.strip().casefold() == file_name.casefold(),
            lambda path: self._has_alias(path, (name, plain_name, file_name)),
        )
        for is_meant in checks if file_name else ():
            names = [key for key, path in paths_by_name.items() if is_meant(path)]
            if names:
                self._keep_headers()
                names.sort(key=lambda key: (paths_by_name[key].as_posix().count("/"), key))
                return FoundLora(names[0], paths_by_name[names[0]], tuple(names[1:]))
        self._keep_headers()
        return None

    def list_loras(self) -> tuple[ModelInfo, ...]:
        """List the files that a tag can name, so that they can be searched; so many at most."""
        names = [name for name in self if not set(name) & UNNAMEABLE_CHARACTERS]
        names = sorted(names, key=str.casefold)[:MAX_LISTED_LORAS]
        paths_by_name = self._paths_by_name()
        paths = ((name, paths_by_name[name]) for name in names)
        infos = tuple(list_usable("LoRAs", paths, self._inspect_lora))
        self._keep_headers()
        return infos

    def lora_hash(self, path: Path) -> str:
        """Give a LoRA's hash: what its header states, or that of its weights without the header.

        Raises:
            OSError: it cannot be read.
            ModelError: it is damaged.
        """
        stated_hash = self._read_header(path)[1]
        return (stated_hash or self._hashes.weights_sha256(path))[:LORA_HASH_DIGITS]

    def _inspect_lora(self, name: str, path: Path) -> ModelInfo:
        alias, stated_hash = self._read_header(path)
        digest = (stated_hash or self._hashes.known_weights_sha256(path))[:LORA_HASH_DIGITS]
        return ModelInfo(name=name, kind="lora", size=0, digest=digest, alias=alias)

    def _has_alias(self, path: Path, names: Collection[str]) -> bool:
        try:
            return self._read_header(path)[0] in names
        except (OSError, ModelError):
            return False

    def _paths_by_name(self) -> dict[str, Path]:
        paths = self._folder.list_paths(LORAS_DIR)
        counts = Counter(path.stem for path in paths)
        return {
            path.stem if counts[path.stem] == 1 else self._relative_name(path): path
            for path in paths
        }

    def _relative_name(self, path: Path) -> str:
        return path.relative_to(self._folder.path / LORAS_DIR).with_suffix("").as_posix()

    def _read_header(self, path: Path) -> tuple[str, str]:
        """Give the alias and the hash that a file states; empty where it states none.

        Raises:
            OSError: it cannot be read.
            ModelError: it is damaged.
        """
        match self._headers.get(key := file_key(path)):
            case [str(alias), str(digest)]:
                return alias, digest
        metadata = read_header(path).metadata
        alias, digest = metadata.get(ALIAS_KEY, ""), metadata.get(HASH_KEY, "")
        self._headers[key] = [alias, digest]
        self._has_new_headers = True
        return alias, digest

    def _keep_headers(self) -> None:
        if self._has_new_headers:
            write_values(self._store, self._headers)
            self._has_new_headers = False
