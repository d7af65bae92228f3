from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import socket
import time
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage import blobs as blobs_module
from storage.blobs import OUTBOX_FOLDER, BlobStore
from storage.errors import BadBlobKey, BlobDamaged, BlobMissing, DiskFull, DiskReadOnly

IMAGE = b"\x89PNG and so on"
NOW = timedelta(0)
HOUR = timedelta(hours=1)


@pytest.fixture
def blobs(folder):
    return BlobStore(folder / "blobs")


@pytest.fixture
def outbox(folder):
    """Where workers leave their files."""
    (folder / OUTBOX_FOLDER).mkdir()
    return (folder / OUTBOX_FOLDER).resolve()


def files_of(blobs):
    return [path for path in blobs.root.rglob("*") if path.is_file()]


def make_old(blobs, key, hours=2):
    """Age a blob on the disk and in this process's memory."""
    past = time.time() - 3600 * hours
    os.utime(blobs.path_of(key), (past, past))
    blobs._stored_at[key] = time.monotonic() - 3600 * hours


def fail_with(code):
    def flush(descriptor):
        raise OSError(code, "words of the system")

    return flush


async def test_a_blob_lies_under_its_hash_and_comes_back(blobs):
    key = await blobs.put(IMAGE)

    assert hashlib.sha256(IMAGE).hexdigest() == key
    assert IMAGE == await blobs.get(key) == blobs.path_of(key).read_bytes()
    assert await blobs.exists(key)
    assert await blobs.list_keys() == {key}


async def test_the_same_bytes_are_kept_once(blobs):
    keys = await asyncio.gather(*(blobs.put(IMAGE) for _ in range(8)))

    assert 1 == len(set(keys)) == len(files_of(blobs))


async def test_an_empty_store_has_no_keys(blobs):
    assert await blobs.list_keys() == set()
    assert await blobs.sweep_unreferenced(set(), NOW) == []


async def test_a_missing_blob_says_which(blobs):
    key = "ab" * 32

    with pytest.raises(BlobMissing, match="no longer stored") as caught:
        await blobs.get(key)

    assert key == caught.value.key
    assert not await blobs.exists(key)


@pytest.mark.parametrize(
    "damaged", [IMAGE[:-1], IMAGE[:-1] + b"?", bytes(len(IMAGE)), b"", IMAGE + b"?"]
)
@pytest.mark.parametrize("way", ["put", "adopt"])
async def test_a_blob_that_changed_on_the_disk_is_not_returned_and_storing_it_again_heals_it(
    blobs, outbox, damaged, way
):
    key = await blobs.put(IMAGE)
    blobs.path_of(key).write_bytes(damaged)

    with pytest.raises(BlobDamaged):
        await blobs.get(key)

    made = outbox / "result.png"
    made.write_bytes(IMAGE)
    await (blobs.put(IMAGE) if way == "put" else blobs.adopt(made))
    assert await blobs.get(key) == IMAGE


async def test_what_an_error_made_useless_is_taken_back(blobs):
    old = await blobs.put(b"was there before")

    with pytest.raises(LookupError):
        async with blobs.put_all({"image": IMAGE, "mask": b"was there before"}) as keys:
            assert keys == {"image": hashlib.sha256(IMAGE).hexdigest(), "mask": old}
            raise LookupError

    assert await blobs.list_keys() == {old}


async def test_what_another_stored_meanwhile_is_not_taken_back(blobs):
    with pytest.raises(LookupError):
        async with blobs.put_all({"image": IMAGE}) as keys:
            await blobs.put(IMAGE)
            raise LookupError

    assert await blobs.list_keys() == set(keys.values())


async def test_what_was_cancelled_may_have_happened_and_stays(blobs):
    with pytest.raises(asyncio.CancelledError):
        async with blobs.put_all({"image": IMAGE}) as keys:
            raise asyncio.CancelledError

    assert await blobs.list_keys() == set(keys.values())


async def test_without_room_for_the_second_the_first_is_taken_back(blobs, monkeypatch):
    flushes = []

    def fill(descriptor):
        flushes.append(descriptor)
        if len(flushes) == 2:
            raise OSError(errno.ENOSPC, "words of the system")

    monkeypatch.setattr(blobs_module, "_flush_file", fill)
    with pytest.raises(DiskFull):
        async with blobs.put_all({"image": IMAGE, "mask": b"a mask"}):
            pass

    assert files_of(blobs) == []


async def test_sizes_are_told_and_only_old_blobs_discarded(blobs):
    old, young = await blobs.put(IMAGE), await blobs.put(b"young")
    gone = "ab" * 32
    make_old(blobs, old)

    assert await blobs.sizes_of({old, young, gone}) == {old: len(IMAGE), young: 5, gone: 0}
    assert await blobs.discard({old, young, gone}, HOUR) == 1
    assert await blobs.list_keys() == {young}


@given(key=st.text() | st.sampled_from(["../" * 20, "A" * 64, "a" * 63, "a" * 65, "a" * 64 + "\n"]))
def test_no_path_can_be_smuggled_in_as_a_key(key):
    with pytest.raises(BadBlobKey, match="64 hexadecimal digits"):
        BlobStore("blobs").path_of(key)


@pytest.mark.parametrize("ask", ["get", "exists", "delete_blob"])
async def test_a_bad_key_is_refused_whatever_is_asked(blobs, ask):
    with pytest.raises(BadBlobKey):
        await getattr(blobs, ask)("../../secrets")


async def test_deleting_says_whether_there_was_one(blobs):
    key = await blobs.put(IMAGE)

    assert [await blobs.delete_blob(key) for _ in range(2)] == [True, False]
    assert not await blobs.exists(key)


async def test_a_workers_file_is_taken_over(blobs, outbox):
    made = outbox / "result.png"
    made.write_bytes(IMAGE)

    key = await blobs.adopt(made)

    assert await blobs.get(key) == IMAGE
    assert not made.exists()
    assert [blobs.path_of(key)] == files_of(blobs)


async def test_a_workers_file_that_is_already_stored_is_only_removed(blobs, outbox):
    key = await blobs.put(IMAGE)
    made = outbox / "result.png"
    made.write_bytes(IMAGE)

    assert await blobs.adopt(made) == key
    assert not made.exists()
    assert [blobs.path_of(key)] == files_of(blobs)


async def test_an_old_file_becomes_a_young_blob(blobs, outbox):
    made = outbox / "result.png"
    made.write_bytes(IMAGE)
    os.utime(made, (0, 0))

    key = await blobs.adopt(made)
    blobs._stored_at.clear()

    assert await blobs.sweep_unreferenced(set(), HOUR) == []
    assert await blobs.exists(key)


async def test_what_is_not_there_is_not_taken_over(blobs, outbox):
    with pytest.raises(FileNotFoundError):
        await blobs.adopt(outbox / "nothing")


PATHS = {
    "elsewhere": lambda folder, outbox: folder / ".env",
    "by way of ..": lambda folder, outbox: outbox / ".." / ".env",
    "relative": lambda folder, outbox: Path(os.path.relpath(folder / ".env")),
    "a link": lambda folder, outbox: link(outbox / "link.png", folder / ".env"),
    "a hard link": lambda folder, outbox: hard_link(outbox / "hard.png", folder / ".env"),
    "in a linked folder": lambda folder, outbox: link(outbox / "sub", folder) / ".env",
    "the outbox by another name": lambda folder, outbox: (
        link(folder / "other", outbox) / whole(outbox / "result.png").name
    ),
    "the outbox": lambda folder, outbox: outbox,
    "a folder": lambda folder, outbox: made(outbox / "folder.png", Path.mkdir),
    "a pipe": lambda folder, outbox: made(outbox / "pipe.png", os.mkfifo),
    "a socket": lambda folder, outbox: made(outbox / "socket.png", bind),
    "a device": lambda folder, outbox: Path("/dev/zero"),
    "no path": lambda folder, outbox: Path(),
    "another's folder": lambda folder, outbox: whole(made(outbox / "sub", Path.mkdir) / "a.png"),
    "a name with a zero": lambda folder, outbox: outbox / "a\0.png",
    "too large": lambda folder, outbox: whole(outbox / "large.png", IMAGE * 9),
}
"""What a worker that a picture or a model has taken over might name as its result."""


def link(path, target):
    path.symlink_to(target)
    return path


def hard_link(path, target):
    path.hardlink_to(target)
    return path


def made(path, make):
    make(path)
    return path


def whole(path, content=IMAGE):
    path.write_bytes(content)
    return path


def bind(path):
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.relpath(path))  # paths of sockets are short


@pytest.mark.skipif(os.name != "posix", reason="links and pipes differ elsewhere")
@pytest.mark.parametrize("way", PATHS)
async def test_a_workers_path_is_followed_into_the_outbox_alone(
    blobs, folder, outbox, monkeypatch, way
):
    monkeypatch.setattr(blobs_module, "MAX_RESULT_BYTES", len(IMAGE))
    secret = folder / ".env"
    secret.write_bytes(b"token")
    path = PATHS[way](folder, outbox)

    with pytest.raises(ValueError):
        await blobs.adopt(path)
    with pytest.raises(ValueError):
        blobs.outbox.read_file(path, len(IMAGE))
    blobs.outbox.discard_file(path)

    assert secret.read_bytes() == b"token"
    assert await blobs.list_keys() == set()
    assert files_of(blobs) == []


@pytest.mark.parametrize("other", [link, hard_link])
async def test_a_file_exchanged_while_it_is_taken_over_is_refused(
    blobs, folder, outbox, monkeypatch, other
):
    secret = whole(folder / ".env", b"token")
    result, temporary_path = whole(outbox / "result.png"), blobs._temporary_path

    def exchange():
        result.unlink()
        other(result, secret)
        return temporary_path()

    monkeypatch.setattr(blobs, "_temporary_path", exchange)
    with pytest.raises(ValueError, match="exchanged"):
        await blobs.adopt(result)

    assert secret.read_bytes() == b"token"
    assert files_of(blobs) == []


async def test_an_outbox_on_another_disk_is_copied_from(blobs, outbox, monkeypatch):
    result = whole(outbox / "result.png")

    def refuse(path, target):
        raise OSError(errno.EXDEV, "words of the system")

    monkeypatch.setattr(Path, "rename", refuse)
    key = await blobs.adopt(result)

    assert await blobs.get(key) == IMAGE
    assert not result.exists()


@pytest.mark.parametrize(
    ("code", "expected"),
    [(errno.ENOSPC, DiskFull), (errno.EROFS, DiskReadOnly), (errno.EIO, OSError)],
)
async def test_what_cannot_be_stored_leaves_nothing_behind(blobs, monkeypatch, code, expected):
    monkeypatch.setattr(blobs_module, "_flush_file", fail_with(code))

    with pytest.raises(expected):
        await blobs.put(IMAGE)

    assert files_of(blobs) == []
    assert await blobs.list_keys() == set()


async def test_what_cannot_be_deleted_from_a_read_only_disk_is_said(blobs, monkeypatch):
    key = await blobs.put(IMAGE)
    make_old(blobs, key)

    def refuse(path, missing_ok=False):
        raise OSError(errno.EROFS, "words of the system")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", refuse)
        with pytest.raises(DiskReadOnly):
            await blobs.delete_blob(key)
        with pytest.raises(DiskReadOnly):
            await blobs.sweep_unreferenced(set(), HOUR)

    assert await blobs.get(key) == IMAGE


async def test_a_workers_file_that_cannot_be_stored_stays_the_workers(blobs, outbox, monkeypatch):
    made = outbox / "result.png"
    made.write_bytes(IMAGE)
    monkeypatch.setattr(blobs_module, "_flush_file", fail_with(errno.ENOSPC))

    with pytest.raises(DiskFull):
        await blobs.adopt(made)

    assert made.read_bytes() == IMAGE
    assert files_of(blobs) == []


async def test_bytes_are_flushed_before_they_have_a_name_and_the_name_after(blobs, monkeypatch):
    events = []
    monkeypatch.setattr(
        blobs_module, "_flush_file", lambda descriptor: events.append(("bytes", files_named(blobs)))
    )
    monkeypatch.setattr(
        blobs_module,
        "_flush_folder",
        lambda folder: events.append((folder.name, files_named(blobs))),
    )

    key = await blobs.put(IMAGE)

    assert [("bytes", 0), (blobs.root.name, 0), (key[:2], 1)] == events


def files_named(blobs):
    return len([path for path in files_of(blobs) if len(path.name) == 64])


def test_a_system_whose_folders_cannot_be_opened_needs_no_flush(monkeypatch):
    monkeypatch.setattr(blobs_module, "CAN_SYNC_FOLDERS", False)

    blobs_module._flush_folder(Path("nowhere"))


async def test_a_sweep_takes_what_is_old_and_unnamed(blobs):
    live, old, young = [await blobs.put(content) for content in (b"live", b"old", b"young")]
    make_old(blobs, live)
    make_old(blobs, old)

    assert await blobs.sweep_unreferenced({live}, HOUR) == [old]
    assert await blobs.list_keys() == {live, young}


async def test_a_sweep_spares_what_was_just_stored_again(blobs):
    key = await blobs.put(IMAGE)
    make_old(blobs, key)
    await blobs.put(IMAGE)

    assert await blobs.sweep_unreferenced(set(), HOUR) == []


async def test_a_wall_clock_set_forward_makes_no_blob_old(blobs, monkeypatch):
    key = await blobs.put(IMAGE)
    real = time.time
    monkeypatch.setattr(blobs_module.time, "time", lambda: real() + 10**7)

    assert await blobs.sweep_unreferenced(set(), HOUR) == []
    assert await blobs.exists(key)


async def test_a_sweep_after_a_restart_goes_by_the_age_on_the_disk(blobs):
    old, young = [await blobs.put(content) for content in (b"old", b"young")]
    make_old(blobs, old)

    assert await BlobStore(blobs.root).sweep_unreferenced(set(), HOUR) == [old]
    assert await blobs.list_keys() == {young}


async def test_a_sweep_clears_what_a_crash_left_half_written_when_old(blobs):
    await blobs.put(IMAGE)
    incoming = blobs.root / "incoming"
    for name, age in (("old", 7200), ("young", 0)):
        (incoming / name).write_bytes(b"half")
        os.utime(incoming / name, (time.time() - age,) * 2)

    await blobs.sweep_unreferenced(set(), HOUR)

    assert [path.name for path in incoming.iterdir()] == ["young"]


async def test_a_sweep_leaves_files_that_are_no_blobs(blobs):
    key = await blobs.put(IMAGE)
    (blobs.path_of(key).parent / "notes.txt").write_bytes(b"mine")

    assert await blobs.sweep_unreferenced(set(), NOW) == [key]
    assert {path.name for path in files_of(blobs)} == {"notes.txt"}


def test_a_file_that_went_meanwhile_is_not_old(folder):
    assert not blobs_module._is_older(folder / "nothing", 0)
