from __future__ import annotations

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

    def open_it(nature: str = "good", **more) -> RemoteWorkerPool:
        return RemoteWorkerPool(
            configure_link(tmp_path, nature, **more), command=(*LINK_COMMAND, str(node))
        )

    return open_it
