"""`models sync` as a host types it: to two nodes with folders of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec

import pytest

if find_spec("ray") is None:
    pytest.skip("ray is not installed (extra: cluster)", allow_module_level=True)

from tests.inference.cluster.ray_cluster import ROOT, open_cluster
from tests.patience import PATIENCE

pytestmark = pytest.mark.slow

SIZE = 40_000_003  # more than two pieces


def test_all_nodes_get_what_they_lack_and_the_other_file_is_told(tmp_path):
    models = tmp_path / "models"
    models.mkdir()
    (models / "fox.safetensors").write_bytes(os.urandom(SIZE))
    (models / "ink.safetensors").write_bytes(os.urandom(100))
    cluster = open_cluster()
    try:
        first, second = cluster.head, cluster.join("second")
        (second.folder / "models" / "ink.safetensors").write_bytes(b"another")
        code, lines = sync(cluster, models)

        fox = (models / "fox.safetensors").read_bytes()
        for node in (first, second):
            assert (node.folder / "models" / "fox.safetensors").read_bytes() == fox
        assert (second.folder / "models" / "ink.safetensors").read_bytes() == b"another"
        assert (code, len(lines)) == (1, 4)
        assert sum(line.endswith(f"copied, {SIZE:,} bytes") for line in lines) == 2
        assert sum("another file there" in line for line in lines) == 1

        (second.folder / "models" / "ink.safetensors").unlink()
        code, lines = sync(cluster, models)
        assert code == 0
        assert sum(line.endswith("was there") for line in lines) == 3
    finally:
        cluster.close()


def sync(cluster, models) -> tuple[int, list[str]]:
    settings = {
        "EASEL_DATA_DIR": str(cluster.head.folder),
        "EASEL_MODELS_DIR": str(models),
        "EASEL_CLUSTER": cluster.address,
    }
    run = subprocess.run(
        [sys.executable, str(ROOT / "main.py"), "models", "sync"],
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        cwd=models,
    )
    assert not run.stderr, run.stderr
    return run.returncode, [line for line in run.stdout.splitlines() if "safetensors" in line]
