from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from inference.api.workers import RemoteWorkerPool
from tests.inference.api.workers.conftest import LINK_COMMAND, configure_link


@pytest.fixture
def node(tmp_path) -> Path:
    """Give the folder of the only node."""
    node = tmp_path / "node"
    node.mkdir()
    return node


@pytest.fixture
def open_pool(tmp_path, node):
    """Make pools whose link has its hosts in its own process."""

    def open_it(nature: str = "good", wordlists_dir: str = "", **more) -> RemoteWorkerPool:
        link = configure_link(tmp_path, nature, **more)
        config = replace(link.config, wordlists_dir=wordlists_dir or str(tmp_path / "no-lists"))
        command = (*LINK_COMMAND, str(node))
        return RemoteWorkerPool(replace(link, config=config), command=command)

    return open_it
