"""Hooks of mkdocs: the pages as they are on a forge become pages of a site."""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import Any

log = logging.getLogger("mkdocs.hooks.docs")

#: A link to a file of the tree that is no page: `[text](../folder/file)`.
OUTSIDE = re.compile(r"\[([^\]]+)\]\((\.\./[^)#\s]+)[^)]*\)")
#: A list that follows a line of prose at once, which a forge reads as a list.
CLINGING_LIST = re.compile(
    r"^((?![*|>#`\s]|\d+\. )[^\n]*\S[^\n]*\n)(?=(?:\*|-|1\.) )", re.MULTILINE
)


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """Name files outside of docs/ by their paths, as the site does not hold them."""
    folder = Path(page.file.abs_src_path).parent

    def name_file(match: re.Match[str]) -> str:
        text, target = match.groups()
        place = (folder / target).resolve()
        if not place.exists():
            log.warning("%s links to %s, which is not there", page.file.src_uri, target)
        root = Path(page.file.src_dir).resolve().parent
        path = place.relative_to(root) if place.is_relative_to(root) else target
        return f"{text} (`{path}`)"

    return CLINGING_LIST.sub(r"\1\n", OUTSIDE.sub(name_file, markdown))
