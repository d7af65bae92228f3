"""Which kind of map a ControlNet was trained on: told by the host, or guessed from its name."""

from __future__ import annotations

import re
from pathlib import Path

from inference.api.jobs.control import UNION_ALIASES
from inference.model_files.errors import CorruptWeights
from inference.model_files.files import is_file, is_folder
from inference.model_files.json_files import read_json_object

#: What files of the field are called by, the first that is in a name counts.
KIND_SIGNS = (
    ("canny", ("canny",)),
    ("lineart", ("lineart", "mangaline")),
    ("depth", ("depth", "zoe", "midas")),
    ("pose", ("openpose", "dwpose", "pose")),
    ("tile", ("tile", "blur")),
    ("scribble", ("scribble", "sketch")),
    ("softedge", ("softedge", "hed", "pidi")),
    ("mlsd", ("mlsd",)),
    ("normal", ("normal",)),
    ("segmentation", ("seg",)),
    ("inpaint", ("inpaint", "repaint")),
    ("shuffle", ("shuffle",)),
    ("instruct", ("ip2p", "instruct")),
    ("brightness", ("brightness", "illumination", "qrcode", "qr")),
)
#: A union's maps by number, as its authors list them: xinsir's ControlNet++, and ProMax behind it.
UNION_KINDS = ("pose", "depth", "softedge", "canny", "normal", "segmentation", "tile", "inpaint")
#: What a host writes beside a file, as `NAME.control.json`, or into a folder: `{"kind": "canny"}`.
SIDE_FILE = "control.json"


def find_kind(path: Path, name: str) -> str:
    """Say what kind of map a network takes; empty where neither side file nor name tells.

    Raises:
        CorruptWeights: the side file is of no use.
    """
    place = path / SIDE_FILE if is_folder(path) else path.with_suffix(f".{SIDE_FILE}")
    if is_file(place):
        kind = read_json_object(place).get("kind")
        if not isinstance(kind, str) or kind not in dict(KIND_SIGNS):
            kinds = ", ".join(dict(KIND_SIGNS))
            raise CorruptWeights("control.side_file", file=place.name, kinds=kinds)
        return kind
    words = f" {re.sub(r'[^a-z0-9]+', ' ', f'{path.parent.name} {name}'.lower())} "
    for kind, signs in KIND_SIGNS:
        if any(sign in words if len(sign) > 4 else f" {sign} " in words for sign in signs):
            return kind
    return ""


def union_kind(kind: str, kinds: tuple[str, ...]) -> str | None:
    """Name the kind of a union's under which a map goes; None where it has none of it."""
    name = UNION_ALIASES.get(kind, kind)
    return name if name in kinds else None
