"""The files in which taggers list what their outputs stand for."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from inference.model_files.errors import CorruptWeights
from inference.vision.interrogation.tagging.tags import TagKind, TagLabel

#: Danbooru's numbers of categories, as the WD taggers' file has them.
TAG_CATEGORIES = {"4": TagKind.CHARACTER, "9": TagKind.RATING}
RATING_PREFIX = "rating:"
WD_FILE = "selected_tags.csv"
DEEP_DANBOORU_FILE = "tags.txt"


def read_labels(folder: Path, config: Mapping[str, Any]) -> tuple[TagLabel, ...]:
    """Read a tagger's labels in the order of its outputs: its tag file's, else its config's.

    Raises:
        CorruptWeights: there are none, or the file is damaged.
    """
    if (folder / WD_FILE).is_file():
        labels = _from_csv(folder / WD_FILE)
    elif (folder / DEEP_DANBOORU_FILE).is_file():
        labels = _from_lines(folder / DEEP_DANBOORU_FILE)
    else:
        label_names = config.get("id2label") or {}
        labels = tuple(_parse_label(label_names[key]) for key in sorted(label_names, key=int))
    if not labels:
        raise CorruptWeights(
            "weights.tagger_no_tags", name=folder.name, file=WD_FILE, other=DEEP_DANBOORU_FILE
        )
    return labels


def _from_csv(path: Path) -> tuple[TagLabel, ...]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return tuple(
                TagLabel(row["name"], TAG_CATEGORIES.get(row["category"], TagKind.GENERAL))
                for row in csv.DictReader(file)
            )
    except (KeyError, UnicodeDecodeError, csv.Error) as error:
        raise CorruptWeights(
            "weights.tag_columns", folder=path.parent.name, file=path.name
        ) from error


def _from_lines(path: Path) -> tuple[TagLabel, ...]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise CorruptWeights(
            "weights.tag_encoding", folder=path.parent.name, file=path.name
        ) from error
    return tuple(_parse_label(line.strip()) for line in lines if line.strip())


def _parse_label(name: str) -> TagLabel:
    if name.startswith(RATING_PREFIX):
        return TagLabel(name.removeprefix(RATING_PREFIX), TagKind.RATING)
    return TagLabel(name)
