from __future__ import annotations

from inference.api.messages import OutputFile, PartFinished
from storage.records import JobState
from tests.bot.dispatcher.conftest import until


async def recorded(line, id, number):
    """Wait until so many parts of a job are recorded."""
    while len(await line.jobs.queue.finished_parts(id)) < number:
        await until(lambda: True)


async def test_a_later_attempt_is_given_what_an_earlier_one_finished(line):
    id = await line.run()
    line.service.part(0, mark="first")
    line.service.part(2, mark="third")
    await recorded(line, id, 2)
    assert line.service.job.parts == ()

    line.service.lose_worker()
    await until(lambda: id in line.service.held)

    again = line.service.job
    assert again.attempt == 2
    assert [(part.number, part.mark) for part in again.parts] == [(0, "first"), (2, "third")]
    keys = [part["picture"] for part in (await line.jobs.queue.finished_parts(id)).values()]
    assert [str(line.blobs.path_of(key)) for key in keys] == [part.path for part in again.parts]
    assert all([await line.blobs.exists(key) for key in keys])
    line.service.finish()
    assert (await line.settled()).state == JobState.DONE
    assert await line.jobs.queue.finished_parts(id) == {}


async def test_a_part_of_somebody_who_lost_the_job_is_thrown_away(line):
    id = await line.run()
    zombie = line.service.worker
    line.service.lose_worker()
    await until(lambda: id in line.service.held)
    path = line.service.outbox / "late.png"
    path.write_bytes(b"late")
    late = OutputFile(path=str(path), width=1, height=1, media_type="image/png")

    event = PartFinished(job_id=id, attempt=1, part=0, mark="", image=late)
    line.service.send_event(event, zombie)
    await until(lambda: not path.exists())

    assert await line.jobs.queue.finished_parts(id) == {}


async def test_a_part_whose_file_is_gone_harms_nothing(line):
    id = await line.run()
    gone = OutputFile(path="/nowhere/a.png", width=1, height=1, media_type="image/png")

    line.service.send_event(PartFinished(job_id=id, attempt=1, part=0, mark="", image=gone))
    line.service.finish()

    assert (await line.settled()).state == JobState.DONE
