import subprocess
import sys
from types import SimpleNamespace

from hypothesis import given, settings
from hypothesis import strategies as st

from inference.engine.batch_size import BatchSizer
from inference.engine.scheduler import Scheduler
from inference.engine.task import BatchKey, JobRun, Task, TaskStage
from inference.engine.work import AuxWork, DenoiseWork, JobResult

SMALL = BatchKey(model="m", height=8, width=8, tokens=16, is_guided=True)
LARGE = BatchKey(model="m", height=16, width=16, tokens=16, is_guided=True)


def operation():
    yield from ()
    return JobResult()


def make_run(name="job"):
    return JobRun(name, 1, operation())


def paint(**more):
    settings = {
        "model": "m",
        "width": 64,
        "height": 64,
        "prompt": "",
        "negative_prompt": "",
        "steps": 4,
        "guidance": 7.0,
        "sampler": "Euler",
        "schedule": "Automatic",
        "seed": 1,
    }
    return DenoiseWork(**(settings | more))


def row(key, run=None):
    return Task(run=run or make_run(), index=0, work=paint(), stage=TaskStage.DENOISE, key=key)


def tile(run, lane=("upscale", "x"), load=None):
    return Task(run=run, index=0, work=AuxWork(queue_key=lane, payload=load), stage=TaskStage.AUX)


def scheduler(rows=4, limit=2):
    return Scheduler(rows, lambda lane: limit)


def test_rows_of_one_key_share_a_batch_up_to_the_limit():
    room = scheduler(rows=3)
    tasks = [row(SMALL) for _ in range(5)]
    for task in tasks:
        room.add_task(task)
    assert tuple(tasks[:3]) == room.schedule().batch


def test_a_newcomer_takes_the_place_that_falls_free():
    room = scheduler(rows=2)
    first, second, third = (row(SMALL) for _ in range(3))
    for task in (first, second, third):
        room.add_task(task)
    room.remove_row(first)
    assert room.schedule().batch == (second, third)


def test_a_place_that_falls_free_goes_to_the_job_that_had_the_fewest():
    room = scheduler(rows=2)
    many, other = make_run("many"), make_run("other")
    tasks = [row(SMALL, many) for _ in range(4)]
    for task in tasks:
        room.add_task(task)
    assert tuple(tasks[:2]) == room.schedule().batch
    single = row(SMALL, other)
    room.add_task(single)
    room.remove_row(tasks[0])
    assert room.schedule().batch == (tasks[1], single)


def test_a_batch_is_as_large_as_the_measured_pace_makes_worth_while():
    room = Scheduler(4, lambda lane: 1, batch_sizer=BatchSizer())
    tasks = [row(SMALL) for _ in range(6)]
    for task in tasks:
        room.add_task(task)
    assert tuple(tasks[:4]) == room.schedule().batch
    for rows, seconds in ((1, 1.0), (1, 1.0), (4, 4.0), (4, 4.0)):
        room.record_time(SMALL, rows, seconds)
    assert tuple(tasks[:1]) == room.schedule().batch
    room.remove_row(tasks[0])
    assert tuple(tasks[1:2]) == room.schedule().batch


def test_who_has_begun_is_done_before_others_begin():
    room = Scheduler(4, lambda lane: 1, batch_sizer=BatchSizer())
    tasks = [row(SMALL) for _ in range(5)]
    for task in tasks[:4]:
        room.add_task(task)
    assert tuple(tasks[:4]) == room.schedule().batch
    room.add_task(tasks[4])
    for rows, seconds in ((1, 1.0), (1, 1.0), (2, 1.1), (2, 1.1), (4, 4.0), (4, 4.0)):
        room.record_time(SMALL, rows, seconds)
    order = []
    while not room.is_idle:
        batch = room.schedule().batch
        order.append(batch)
        room.remove_row(batch[0])
    assert tuple(tasks[:2]) == order[0]
    assert tasks[4] not in order[2]


def test_groups_of_different_keys_take_turns():
    room = scheduler(rows=4)
    for _ in range(9):
        room.add_task(row(SMALL))
    rare = row(LARGE)
    room.add_task(rare)
    batches = [room.schedule().batch for _ in range(4)]
    assert [batch[0].key for batch in batches] == [SMALL, LARGE, SMALL, LARGE]
    assert (rare,) == batches[1]


def test_a_key_that_ran_out_of_memory_never_gets_as_many_rows_again():
    room = scheduler(rows=4)
    for _ in range(4):
        room.add_task(row(SMALL))
    room.set_max_entries(SMALL, 2)
    room.set_max_entries(SMALL, 3)
    assert len(room.schedule().batch) == 2


@given(st.lists(st.integers(1, 33), min_size=1, max_size=12))
def test_a_batch_has_no_more_entries_than_a_call_unless_one_row_has(entries):
    room = Scheduler(8, lambda lane: 1, max_entries=16)
    tasks = [row(SMALL) for _ in entries]
    for task, count in zip(tasks, entries, strict=True):
        task.row = SimpleNamespace(entries=count)
        room.add_task(task)
    served = []
    while not room.is_idle:
        step = room.schedule()
        counts = [task.entries for task in step.batch]
        assert len(counts) == 1 or (sum(counts) <= 16 and len(counts) <= 8)
        assert step.max_entries == 16
        served += step.batch
        for task in step.batch:
            room.remove_row(task)
    # Nobody is passed over for being large.
    assert served == tasks


def test_one_turn_has_one_aside_and_one_batch():
    room = scheduler(limit=1)
    run = make_run()
    tiles = [tile(run) for _ in range(2)]
    denoising = row(SMALL)
    for task in (*tiles, denoising):
        room.add_task(task)
    assert (
        (turn := room.schedule()).aux,
        turn.batch,
    ) == ((tiles[0],), (denoising,))
    assert room.schedule().aux == (tiles[1],)
    assert room.schedule().aux == ()


def test_tiles_of_several_jobs_mix_in_one_call():
    room = scheduler(limit=4)
    big, little = make_run("big"), make_run("little")
    many = [tile(big) for _ in range(6)]
    few = [tile(little) for _ in range(2)]
    for task in (*many, *few):
        room.add_task(task)
    assert room.schedule().aux == (many[0], few[0], many[1], few[1])
    assert tuple(many[2:]) == room.schedule().aux


def test_lanes_take_turns():
    room = scheduler(limit=1)
    run = make_run()
    upscales = [tile(run) for _ in range(3)]
    caption = tile(run, lane=("interrogate",))
    for task in (*upscales, caption):
        room.add_task(task)
    assert [room.schedule().aux[0] for _ in range(4)] == [
        upscales[0],
        caption,
        upscales[1],
        upscales[2],
    ]


def test_a_dropped_job_leaves_nothing_behind():
    room = scheduler()
    run = make_run()
    run.tasks = [row(SMALL, run), tile(run)]
    for task in run.tasks:
        room.add_task(task)
    room.drop_run(run)
    assert room.is_idle
    assert ((turn := room.schedule()).aux, turn.batch) == ((), ())


def test_a_run_waits_as_long_as_one_of_its_tasks_is_here():
    room = scheduler()
    runs = [make_run("rows"), make_run("tiles")]
    tasks = [row(SMALL, runs[0]), tile(runs[1])]
    for run, task in zip(runs, tasks, strict=True):
        run.tasks = [task]
        room.add_task(task)
    assert room.waiting_runs() == set(runs)

    room.schedule()
    assert room.waiting_runs() == {runs[0]}  # the tile is at work, and comes back or is done
    room.drop_run(runs[0])
    assert room.waiting_runs() == set()


def test_the_scheduler_needs_no_torch():
    code = "import sys, inference.engine.scheduler; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


class Memory:
    """Room for so many networks: who is served is loaded, the longest unused leaves."""

    def __init__(self, room):
        self.room, self.held, self.loads = room, [], 0

    def fitting(self, wanted):
        loaded = [weights for weights in wanted if weights in self.held]
        new = [weights for weights in wanted if weights not in self.held]
        return [*loaded, *new][: self.room]

    def use(self, weights):
        if weights in self.held:
            self.held.remove(weights)
        else:
            self.loads += 1
        self.held = [*self.held, weights][-self.room :]


def model_row(model, side=8):
    key = BatchKey(model=model, height=side, width=side, tokens=16, is_guided=True)
    return Task(make_run(), 0, paint(model=model), TaskStage.DENOISE, key=key)


def serve(room, memory, turns):
    """Run turns with work that never ends; list the weights served in each."""
    served = []
    for _ in range(turns):
        turn = room.schedule()
        now = []
        for tasks in (turn.aux, turn.batch):
            if tasks:
                now.append(tasks[0].weights)
                memory.use(tasks[0].weights)
        for task in turn.aux:
            room.add_task(task)
        served.append(now)
    return served


def test_what_is_loaded_stays_at_work_for_a_while():
    memory = Memory(1)
    room = Scheduler(4, lambda lane: 1, memory.fitting, model_switch_turns=5)
    for model in "ab":
        room.add_task(model_row(model))
    served = [names[0][1] for names in serve(room, memory, 24)]

    assert "".join(served) == "aaaaa" + "bbbbbb" + "aaaaaa" + "bbbbbb" + "a"


def test_models_that_fit_together_take_turns():
    memory = Memory(2)
    room = Scheduler(4, lambda lane: 1, memory.fitting, model_switch_turns=5)
    for model in "ab":
        room.add_task(model_row(model))
    served = [names[0][1] for names in serve(room, memory, 6)]

    assert "".join(served) == "ababab"


def test_an_aside_never_pushes_out_the_model_of_the_batch():
    memory = Memory(1)
    room = Scheduler(4, lambda lane: 1, memory.fitting, model_switch_turns=5)
    room.add_task(model_row("a"))
    serve(room, memory, 1)
    work = AuxWork(queue_key=("upscale", "x"), payload=None, weights=("upscaler", "x"))
    room.add_task(Task(make_run(), 0, work, TaskStage.AUX))
    loads = [len(names) for names in serve(room, memory, 6)]

    assert loads == [1] * 6
    assert memory.loads == 2


def test_work_without_weights_never_waits():
    memory = Memory(1)
    room = Scheduler(4, lambda lane: 1, memory.fitting, model_switch_turns=5)
    for model in "ab":
        room.add_task(model_row(model))
    plain = tile(make_run())
    room.add_task(plain)

    assert room.schedule().aux == (plain,)


@settings(max_examples=60, deadline=None)
@given(
    room=st.integers(1, 3),
    patience=st.integers(2, 9),
    arrivals=st.lists(
        st.tuples(st.integers(0, 120), st.sampled_from("abcde"), st.sampled_from([4, 8, 16, "x"])),
        min_size=2,
        max_size=10,
        unique_by=lambda arrival: arrival[1:],
    ),
)
def test_no_room_waits_beyond_its_bound(room, patience, arrivals):
    memory = Memory(room)
    scheduler = Scheduler(4, lambda lane: 1, memory.fitting, patience)
    waiting = {}
    for turn in range(120 + (patience + 2) * len(arrivals)):
        for when, model, kind in arrivals:
            if when == turn:
                aside = kind == "x"
                work = AuxWork(
                    queue_key=("upscale", model), payload=None, weights=("upscaler", model)
                )
                task = Task(make_run(), 0, work, TaskStage.AUX) if aside else model_row(model, kind)
                scheduler.add_task(task)
                waiting[model, kind] = turn
        chosen = scheduler.schedule()
        assert chosen.aux or chosen.batch or not waiting
        for tasks in filter(None, (chosen.aux, chosen.batch)):
            memory.use(tasks[0].weights)
            waiting[tasks[0].weights[1], tasks[0].key.width if tasks[0].key else "x"] = turn
        for task in chosen.aux:
            scheduler.add_task(task)
        longest = max((turn - since for since in waiting.values()), default=0)
        assert longest <= (patience + 1) * len(waiting)


def owned_row(owner, key=SMALL):
    return row(key, JobRun(f"{owner}'s", 1, operation(), owner))


def finish_times(room, arrivals, steps=20):
    """Give the step in which each task ended; `arrivals` are tasks and the steps they come in."""
    left, ends, now = {}, {}, 0
    while len(ends) < len(arrivals):
        for task, arrival in arrivals:
            if arrival == now:
                room.add_task(task)
                left[task] = steps
        now += 1
        for task in room.schedule().batch:
            left[task] -= 1
            if not left[task]:
                ends[task] = now
                room.remove_row(task)
    return ends


@given(st.sampled_from((1, 2, 4)), st.integers(0, 19))
def test_two_jobs_beside_eleven_of_another_member_end_in_the_first_third(places, arrival):
    many = [owned_row("ada") for _ in range(11)]
    few = [owned_row("ben") for _ in range(2)]
    ends = finish_times(
        scheduler(rows=places), [(task, 0) for task in many] + [(task, arrival) for task in few]
    )
    last = max(ends.values())
    assert max(ends[task] for task in few) - arrival <= (last - arrival) / 3


@given(st.integers(1, 6), st.lists(st.sampled_from("abcd"), min_size=1, max_size=16))
def test_every_member_with_rows_has_one_in_the_call_where_there_are_places(places, owners):
    room = scheduler(rows=places)
    for number, owner in enumerate(owners, 1):
        room.add_task(owned_row(owner))
        batch = room.schedule().batch
        assert len({task.run.owner for task in batch}) == min(places, len(set(owners[:number])))
        assert len(batch) == min(places, number)


def test_a_row_under_way_keeps_its_place_where_each_member_has_one():
    room = scheduler(rows=1)
    first, second, third = owned_row("ada"), owned_row("ada"), owned_row("ben")
    for task in (first, second, third):
        room.add_task(task)
    assert room.schedule().batch == room.schedule().batch == (first,)
    room.remove_row(first)
    assert room.schedule().batch == (third,)
    room.remove_row(third)
    assert room.schedule().batch == (second,)


def test_of_works_beside_the_steps_each_member_has_one_in_turn():
    room = scheduler(limit=1)
    many, few = JobRun("many", 1, operation(), "ada"), JobRun("few", 1, operation(), "ben")
    others = JobRun("others", 1, operation(), "ada")
    for run in (many, many, others, others, few, few):
        room.add_task(tile(run))
    turns = [room.schedule().aux[0].run for _ in range(6)]
    assert turns == [many, few, others, few, many, others]
