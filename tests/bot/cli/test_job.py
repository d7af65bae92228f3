from __future__ import annotations

import errno
import os
import tempfile

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from bot.app import BLOBS_FOLDER, DATABASE_FILE
from bot.cli.job import OWNER, STORE_FOLDER, ConsoleListener
from storage.database import Database
from storage.jobs import JobStore
from tests.storage.factories import LEASE, ROOMY, make_job, make_record


async def test_a_job_prints_its_way_as_json_and_saves_its_picture(call, photo, tmp_path):
    out = tmp_path / "out"
    command = ("job", "img2img", "--image", str(photo), "--json", "--out", str(out))

    code, events = await call(*command, "--prompt", "a fox", "--seed", "7")

    assert code == 0
    assert [event["event"] for event in events] == ["queued", "progress", "progress", "done"]
    queued, first, second, done = events
    assert (queued["params"]["prompt"], queued["params"]["seed"]) == ("a fox", 7)
    assert [(step["step"], step["steps"]) for step in (first, second)] == [(1, 2), (2, 2)]
    (file,) = done["files"]
    (saved,) = out.iterdir()
    assert (str(saved), 32, 24, 7) == (file["path"], file["width"], file["height"], file["seed"])
    assert saved.read_bytes().startswith(b"\x89PNG")
    assert done["notes"] == ["as it was"]
    assert {event["job"] for event in events} == {queued["job"]}


@pytest.mark.parametrize("code", [errno.EROFS, errno.EACCES, errno.ENOSPC])
async def test_where_nothing_can_be_saved_it_is_said_before_the_work(
    call, photo, tmp_path, monkeypatch, code
):
    def refuse(**options):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    out = tmp_path / "out"

    ended, events = await call("job", "img2img", "--image", str(photo), "--json", "--out", str(out))

    assert (ended, [event["event"] for event in events]) == (2, ["refused"])
    assert f"Nothing can be saved in {out}: {os.strerror(code)}" in events[0]["reason"]


async def test_a_job_prints_its_way_in_words(call, photo, tmp_path):
    code, lines = await call(
        "job", "img2img", "--image", str(photo), "--out", str(tmp_path / "out")
    )

    queued, *steps, path, note = lines
    assert code == 0
    assert queued.startswith("queued as ")
    assert [*steps, note] == ["1/2", "2/2", "as it was"]
    assert path.endswith("-0.png")


async def leave_job(folder, owner="ada", *, attempts=0):
    """A job that nobody finished, as a process that was killed leaves it."""
    folder.mkdir(parents=True, exist_ok=True)
    async with Database(folder / DATABASE_FILE) as database:
        queue = JobStore(database).queue
        job = make_job(owner=owner, params={"prompt": "of another time"})
        record, _ = await queue.enqueue(job, ROOMY)
        for _ in range(attempts):
            await queue.claim("a worker of another life", LEASE)
    return record


async def stored_jobs(folder):
    async with Database(folder / DATABASE_FILE, read_only=True) as database:
        return await JobStore(database).reader.list_outstanding()


@pytest.mark.parametrize("attempts", [0, 1])
async def test_a_jobs_own_end_is_told_and_what_an_earlier_run_left_is_called_off(
    call, photo, settings, tmp_path, attempts
):
    earlier = await leave_job(settings.data_dir / STORE_FOLDER, OWNER, attempts=attempts)
    command = ("job", "img2img", "--image", str(photo), "--json", "--out", str(tmp_path / "out"))

    for expected_notes in ([f"{earlier.kind} {earlier.id}"], []):
        code, events = await call(*command)

        notes = [event["note"] for event in events if event["event"] == "note"]
        (queued,) = [event for event in events if event["event"] == "queued"]
        assert (code, len(notes)) == (0, len(expected_notes))
        assert all(name in note for name, note in zip(expected_notes, notes, strict=True))
        assert {event["job"] for event in events if "job" in event} == {queued["job"]}
        assert queued["job"] in events[-1]["files"][0]["path"]
    assert await stored_jobs(settings.data_dir / STORE_FOLDER) == []


@pytest.mark.parametrize("attempts", [0, 1])
async def test_a_job_touches_no_member_s_and_leaves_nothing_of_its_own(
    call, photo, settings, tmp_path, attempts
):
    await leave_job(settings.data_dir, attempts=attempts)
    before = await stored_jobs(settings.data_dir)

    code, _ = await call("job", "img2img", "--image", str(photo), "--out", str(tmp_path / "out"))

    assert code == 0
    assert await stored_jobs(settings.data_dir) == before
    own = settings.data_dir / STORE_FOLDER
    assert await stored_jobs(own) == []
    assert [path for path in (own / BLOBS_FOLDER).rglob("*") if path.is_file()] == []


async def test_the_end_of_another_job_is_not_taken_for_ones_own():
    listener = ConsoleListener(as_json=True)
    listener.job_id = "b" * 20

    listener.on_job_ended(make_record(id="a" * 20))
    assert not listener.end.done()
    listener.on_job_ended(make_record(id="b" * 20))

    assert listener.end.result().id == "b" * 20


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--steps", "151"], "steps is 151, but must lie between 1 and 150."),
        (["--strength", "1.5"], "strength is 1.5, but must lie between 0 and 1."),
        (["--width", "63"], "width is 63, but must lie between 64 and 2048."),
        (["--sampler", "Eulre"], "Did you mean Euler"),
        (["--image", "/nowhere/photo.png"], "photo.png"),
    ],
)
async def test_what_is_impossible_is_refused_and_says_what_to_change(
    call, photo, settings, words, reason
):
    code, (event,) = await call("job", "img2img", "--image", str(photo), *words, "--json")

    assert (code, event["event"]) == (2, "refused")
    assert reason in event["reason"]
    assert not settings.data_dir.exists()


async def test_a_picture_left_out_is_refused(call):
    code, lines = await call("job", "img2img")

    assert (code, lines) == (2, ["img2img needs the picture “image”: attach one."])


@pytest.mark.parametrize("content", [b"", b"no picture at all", b"\x89PNG\r\n\x1a\n"])
async def test_a_file_that_is_no_picture_is_refused(call, photo, content):
    photo.write_bytes(content)

    code, (event,) = await call("job", "img2img", "--image", str(photo), "--json")

    assert (code, event["event"]) == (2, "refused")
    assert "photo.png" in event["reason"]


@pytest.mark.parametrize("option", ["--image", "--like"])
async def test_a_file_that_is_not_there_is_said_to_be_missing(call, tmp_path, option):
    path = tmp_path / "nothing.png"

    code, lines = await call("job", "img2img", option, str(path))

    assert (
        code,
        lines,
    ) == (2, [f"{path} cannot be read: No such file or directory. Check the path."])


async def test_a_job_that_the_worker_refuses_fails(call, photo):
    command = ("job", "img2img", "--image", str(photo), "--json")

    code, events = await call(*command, changed={"model": "refusing"})

    assert code == 1
    assert (events[-1]["event"], events[-1]["reason"]) == ("failed", "The picture is too dark.")


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"workers": 0}, "There is no worker: leave EASEL_WORKERS empty, or set it to 1."),
        ({"model": "troubled"}, "No worker can start: There is no such checkpoint."),
    ],
)
async def test_a_job_without_a_worker_does_not_wait_for_ever(call, photo, changed, reason):
    command = ("job", "img2img", "--image", str(photo), "--json")

    code, events = await call(*command, changed=changed)

    assert code == 1
    assert ("failed", reason) == (events[-1]["event"], events[-1]["reason"])


async def test_a_run_beside_another_is_refused(call, photo, settings):
    folder = settings.data_dir / STORE_FOLDER
    folder.mkdir(parents=True)
    async with Database(folder / DATABASE_FILE):
        code, (event,) = await call("job", "img2img", "--image", str(photo), "--json")

    assert (code, event["event"]) == (1, "failed")
    assert "Stop that one first" in event["reason"]


@pytest.fixture
def like(tmp_path):
    info = PngInfo()
    info.add_text("parameters", "a fox\nSteps: 9, Sampler: DEIS, CFG scale: 5, Seed: 77, RNG: CPU")
    path = tmp_path / "like.png"
    Image.new("RGB", (8, 8)).save(path, pnginfo=info)
    return str(path)


async def test_a_job_like_a_picture_takes_what_is_not_said(call, like, photo, tmp_path):
    out = str(tmp_path / "out")
    command = ("job", "img2img", "--like", like, "--image", str(photo), "--json", "--out", out)
    code, events = await call(*command, "--guidance", "3")

    assert code == 0
    (note,) = [event["note"] for event in events if event["event"] == "note"]
    assert note == "There is no sampler DEIS here: Euler a is taken."
    (queued,) = [event for event in events if event["event"] == "queued"]
    expected = {"prompt": "a fox", "steps": 9, "seed": 77, "guidance": 3.0}
    assert expected.items() <= queued["params"].items()


async def test_a_picture_that_tells_nothing_is_refused(call, photo):
    code, lines = await call("job", "imagine", "--like", str(photo))

    assert code == 2
    assert "says nothing about how it was made" in lines[-1]


async def test_a_job_like_a_picture_still_needs_its_own(call, like):
    code, lines = await call("job", "img2img", "--like", like)

    assert code == 2
    assert "img2img needs the picture" in lines[-1]


async def test_a_prompt_like_a_pictures_can_be_explained(call, like):
    _, events = await call("job", "imagine", "--like", like, "--explain", "--json")

    (queued,) = [event for event in events if event["event"] == "queued"]
    expected = {"prompt": "a fox", "steps": 9, "seed": 77}
    assert expected.items() <= queued["params"].items()
    assert "schedule" not in queued["params"]


async def test_a_graph_that_cannot_be_followed_is_not_nothing(call, tmp_path):
    info = PngInfo()
    info.add_text("prompt", '{"1": {"class_type": "SomeSampler", "inputs": {"text": "a fox"}}}')
    path = tmp_path / "graph.png"
    Image.new("RGB", (8, 8)).save(path, pnginfo=info)

    code, lines = await call("job", "imagine", "--like", str(path))

    assert code == 2
    assert "holds a ComfyUI graph that cannot be followed" in lines[0]
