"""Models of the bot's host come to a node: whole, once, and never over another's."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

import pytest

from inference.cluster.model_sync import receiver as receiver_module
from inference.cluster.model_sync import sender
from inference.cluster.model_sync.receiver import ARRIVALS_FOLDER, ModelReceiver
from inference.cluster.model_sync.sender import list_models, sync_node
from inference.cluster.transport import SeatDied, SeatUnavailable
from inference.model_files.files import find_checkpoints
from inference.model_files.hashes import FileHashes

PIECE = 1000


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch):
    monkeypatch.setattr(sender, "PIECE_BYTES", PIECE)
    monkeypatch.setattr(sender, "RETRY_SECONDS", 0.001)


@pytest.fixture
def shelf(tmp_path) -> Path:
    """Give the host's models: two files and a folder in diffusers' layout."""
    shelf = tmp_path / "host" / "models"
    for name, size in {
        "fox.safetensors": 12_345,
        "lora/ink.safetensors": PIECE,
        "big/model_index.json": 7,
        "big/unet/diffusion_pytorch_model.safetensors": 3 * PIECE,
        ".hidden": 5,
    }.items():
        (shelf / name).parent.mkdir(parents=True, exist_ok=True)
        (shelf / name).write_bytes(os.urandom(size))
    return shelf


class Node:
    """A node in this process, which may answer badly."""

    def __init__(self, folder: Path) -> None:
        (folder / "models").mkdir(parents=True)
        self.models = folder / "models"
        self.receiver = ModelReceiver("node", self.models, folder / "cache")
        self.lines: list[str] = []
        self.written_bytes = 0
        #: Calls until the node is gone, and whether every second answer is lost.
        self.calls_left, self.loses_answers = 10**9, False
        self._is_lost = False

    async def call(self, method: str, *arguments):
        self.calls_left -= 1
        if self.calls_left < 0:
            raise SeatDied("it went out")
        answer = await getattr(self.receiver, method)(*arguments)
        if method == "write_piece" and not answer:
            self.written_bytes += len(arguments[-1])
        self._is_lost = self.loses_answers and not self._is_lost
        if self._is_lost:
            raise SeatUnavailable("the answer was lost")
        return answer

    async def sync(self, shelf: Path) -> bool:
        self.lines.clear()
        self.written_bytes = 0
        models = list_models(shelf, FileHashes(shelf.parent / "cache" / "hashes.json"))
        return await sync_node("node", self.call, models, self.lines.append)


@pytest.fixture
def node(tmp_path) -> Node:
    return Node(tmp_path / "node")


def contents(folder: Path) -> dict[str, bytes]:
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


async def test_what_a_node_lacks_is_copied_and_what_it_has_is_not(shelf, node):
    shutil.copytree(shelf / "lora", node.models / "lora")

    assert await node.sync(shelf)

    expected = contents(shelf)
    del expected[".hidden"]
    assert contents(node.models) == expected
    assert not (node.models / ARRIVALS_FOLDER).exists()
    assert sorted(node.lines) == [
        f"node: big copied, {3 * PIECE + 7:,} bytes",
        "node: fox.safetensors copied, 12,345 bytes",
        "node: lora/ink.safetensors was there",
    ]
    assert await node.sync(shelf)
    assert node.written_bytes == 0
    assert all(line.endswith("was there") for line in node.lines)


async def test_answers_that_are_lost_change_nothing(shelf, node):
    node.loses_answers = True

    assert await node.sync(shelf)

    assert contents(node.models).items() <= contents(shelf).items()
    assert len(contents(node.models)) == 4


@pytest.mark.parametrize("calls", range(1, 24, 2))
async def test_wherever_a_node_goes_away_it_is_gone_on_with(shelf, node, calls):
    node.calls_left = calls
    with pytest.raises(SeatDied):
        await node.sync(shelf)
    begun_bytes = node.written_bytes
    checkpoints, _ = find_checkpoints(node.models, "", node.models)
    for path in checkpoints.values():  # nothing that a worker would load is there by half
        relative_path = path.relative_to(node.models)
        if path.is_file():
            assert path.read_bytes() == (shelf / relative_path).read_bytes()
        elif path != node.models:
            assert contents(path) == contents(shelf / relative_path)

    node.calls_left = 10**9
    assert await node.sync(shelf)

    assert node.written_bytes + begun_bytes == sum(
        len(data) for name, data in contents(shelf).items() if name != ".hidden"
    )
    assert len(contents(node.models)) == 4


async def test_another_file_of_that_name_is_told_and_left(shelf, node):
    (node.models / "fox.safetensors").write_bytes(b"another fox")

    assert not await node.sync(shelf)

    assert (node.models / "fox.safetensors").read_bytes() == b"another fox"
    (line,) = [line for line in node.lines if "fox" in line]
    assert "another file there" in line
    assert (node.models / "lora" / "ink.safetensors").exists()


async def test_what_was_begun_of_an_older_file_is_not_gone_on_with(shelf, node):
    node.calls_left = 12
    with pytest.raises(SeatDied):
        await node.sync(shelf)
    node.calls_left = 10**9
    for path in shelf.rglob("*.safetensors"):
        path.write_bytes(os.urandom(path.stat().st_size + 1))

    await node.sync(shelf)

    for path in node.models.rglob("*.safetensors"):
        assert path.read_bytes() in contents(shelf).values() or "another" in str(node.lines)


async def test_what_arrives_damaged_is_removed_and_told(shelf, node, monkeypatch):
    write = receiver_module._write_at
    monkeypatch.setattr(
        receiver_module, "_write_at", lambda path, offset, data: write(path, offset, data[::-1])
    )

    assert not await node.sync(shelf)

    assert all("damaged" in line for line in node.lines)
    assert contents(node.models) == {}
    monkeypatch.undo()
    assert await node.sync(shelf)


async def test_a_disk_without_room_is_told_before_anything_is_copied(shelf, node, monkeypatch):
    usage = shutil.disk_usage(node.models)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=5 * PIECE))

    assert not await node.sync(shelf)

    (line,) = [line for line in node.lines if "fox" in line]
    assert "too full by 7,345 bytes" in line
    assert len(contents(node.models)) == 3


async def test_a_disk_that_fills_up_loses_what_was_begun_and_nothing_else(shelf, node, monkeypatch):
    write = receiver_module._write_at

    def write_little(path, offset, data):
        if "fox" in path.name and offset >= 2 * PIECE:
            raise OSError(errno.ENOSPC, "No space left on device")
        write(path, offset, data)

    monkeypatch.setattr(receiver_module, "_write_at", write_little)

    assert not await node.sync(shelf)

    (line,) = [line for line in node.lines if "fox" in line]
    assert "No space left on device" in line
    assert not [name for name in contents(node.models) if "fox" in name]
    assert len(contents(node.models)) == 3


@pytest.mark.parametrize("name", ["../x", "/etc/x", "a/../../x", "", f"{ARRIVALS_FOLDER}/x"])
async def test_no_name_leads_out_of_the_folder(node, name):
    with pytest.raises(ValueError, match="no name of a model's file"):
        await node.receiver.write_piece(name, "0" * 64, 0, b"x")
