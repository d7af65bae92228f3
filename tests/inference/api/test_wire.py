from __future__ import annotations

import dataclasses
import io
import json
import typing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.api import commands, wire
from inference.api import messages as events
from inference.api.config import EngineConfig
from inference.api.errors import WireError
from inference.api.notices import Notice

WORDS = st.text(max_size=40)
COUNT = st.integers(0, 10**6)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=8,
)
SECONDS = st.floats(0, 1e6)
IMAGES = st.builds(
    events.OutputFile,
    path=WORDS,
    width=COUNT,
    height=COUNT,
    media_type=WORDS,
    role=WORDS,
    seed=st.none() | COUNT,
    infotext=WORDS,
    copies=st.lists(
        st.builds(
            events.DisplayCopy,
            path=WORDS,
            width=COUNT,
            height=COUNT,
            media_type=WORDS,
            quality=st.integers(0, 100),
        ),
        max_size=1,
    ).map(tuple),
)
MODELS = st.builds(events.ModelInfo, name=WORDS, kind=WORDS, size=COUNT, about=WORDS)
NOTICES = st.builds(
    lambda code, params: Notice(code, **params),
    WORDS,
    st.dictionaries(WORDS, JSON, max_size=3),
)
ONE = {"job_id": WORDS, "attempt": COUNT}
MESSAGES = st.one_of(
    st.builds(
        commands.ConfigureWorker, config=st.builds(EngineConfig, model=WORDS, max_jobs=COUNT)
    ),
    st.builds(
        commands.SubmitJob,
        **ONE,
        kind=WORDS,
        params=st.dictionaries(WORDS, JSON, max_size=4),
        inputs=st.dictionaries(WORDS, WORDS, max_size=3),
        display=st.builds(commands.DisplayLimits, COUNT, COUNT),
        parts=st.lists(
            st.builds(commands.FinishedPart, number=COUNT, mark=WORDS, path=WORDS), max_size=3
        ).map(tuple),
    ),
    st.builds(commands.CancelJob, **ONE),
    st.builds(commands.StopWorker, drain=st.booleans()),
    st.builds(
        events.WorkerReady,
        device=WORDS,
        dtype=WORDS,
        models=st.lists(MODELS, max_size=3).map(tuple),
        notes=st.lists(NOTICES, max_size=3).map(tuple),
    ),
    st.builds(events.StartFailed, reason=NOTICES),
    st.builds(events.JobProgress, **ONE, step=COUNT, steps=COUNT, preview=st.none() | WORDS),
    st.builds(events.PartFinished, **ONE, part=COUNT, mark=WORDS, image=IMAGES),
    st.builds(
        events.JobFinished,
        **ONE,
        images=st.lists(IMAGES, max_size=3).map(tuple),
        text=WORDS,
        notes=st.lists(NOTICES, max_size=3).map(tuple),
        seconds=SECONDS,
        gpu_seconds=SECONDS,
    ),
    st.builds(events.JobFailed, **ONE, reason=NOTICES, error_kind=WORDS),
    st.builds(events.JobCancelled, **ONE),
    st.builds(events.JobsWaiting, jobs=st.lists(st.tuples(WORDS, COUNT), max_size=3).map(tuple)),
    st.builds(events.WorkerPaused, worker=WORDS, reason=NOTICES, seconds=SECONDS),
    st.builds(events.WorkerRecovered, worker=WORDS),
    st.builds(
        events.WorkerLost,
        worker=WORDS,
        reason=NOTICES,
        jobs=st.lists(st.tuples(WORDS, COUNT), max_size=3).map(tuple),
        counts=st.booleans(),
    ),
)


def frame(body: bytes) -> bytes:
    return wire.FRAME_HEADER.pack(len(body)) + body


@given(MESSAGES)
def test_what_is_written_is_read(message):
    stream = io.BytesIO(wire.encode_message(message))

    assert wire.read_message(stream) == message
    assert wire.read_message(stream) is None


@given(st.lists(MESSAGES, max_size=5), st.data())
def test_a_stream_that_breaks_off_ends_after_its_last_whole_frame(messages, data):
    frames = [wire.encode_message(message) for message in messages]
    whole = b"".join(frames)
    kept = data.draw(st.integers(0, len(whole)))
    stream = io.BytesIO(whole[:kept])
    expected, length = [], 0
    for message, one in zip(messages, frames, strict=True):
        length += len(one)
        if length <= kept:
            expected.append(message)

    found = []
    while (message := wire.read_message(stream)) is not None:
        found.append(message)

    assert found == expected


class Dribble(io.RawIOBase):
    """A pipe that gives one byte at a time."""

    def __init__(self, data: bytes) -> None:
        self.data = io.BytesIO(data)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        one = self.data.read(1)
        buffer[: len(one)] = one
        return len(one)


def test_an_unbuffered_pipe_is_read_to_the_end_of_each_frame():
    message = events.JobFailed(job_id="ä", attempt=2, reason=Notice("σ × 2"), error_kind="model")

    assert wire.read_message(Dribble(wire.encode_message(message))) == message


def test_half_a_pair_of_surrogates_travels():
    message = events.JobFailed(job_id="a", attempt=1, reason=Notice("\ud83d"))

    assert wire.read_message(io.BytesIO(wire.encode_message(message))) == message


def test_type_hints_are_read_once_a_class(monkeypatch):
    reads = []
    get_type_hints = typing.get_type_hints
    monkeypatch.setattr(
        typing, "get_type_hints", lambda kind: [reads.append(kind), get_type_hints(kind)][1]
    )
    wire._read_field_types.cache_clear()
    image = events.OutputFile(path="a.png", width=1, height=1, media_type="image/png")
    frames = [
        wire.encode_message(message)[wire.FRAME_HEADER.size :]
        for message in (
            events.JobProgress(job_id="a", attempt=1, step=1, steps=2),
            events.JobFinished(job_id="a", attempt=1, images=(image, image)),
        )
    ]

    for _ in range(50):
        for body in frames:
            wire.decode_message(body)

    assert sorted(kind.__name__ for kind in reads) == ["JobFinished", "JobProgress", "OutputFile"]


def test_every_message_can_travel():
    listed = {kind.__name__ for kind in typing.get_args(wire.Message)}

    assert listed == set(wire.MESSAGE_TYPES)
    for kind in wire.MESSAGE_TYPES.values():
        assert dataclasses.is_dataclass(kind)
        assert kind.__dataclass_params__.frozen


READY = {"type": "WorkerReady", "device": "cpu", "dtype": "f", "models": []}
STEP = {"type": "JobProgress", "job_id": "a", "attempt": 1, "step": 1, "steps": 2}
END = {"type": "JobFinished", "job_id": "a", "attempt": 1, "images": []}
ERROR = {"type": "StartFailed", "reason": {"code": "r", "params": {}}}
LOST = {"type": "WorkerLost", "worker": "w", "reason": ERROR["reason"], "jobs": [["a", 1]]}
WHOLE = {"type": "ConfigureWorker", "config": {"model": "x"}}


@pytest.mark.parametrize("message", [READY, STEP, END, ERROR, LOST, WHOLE])
def test_these_are_messages_before_they_are_spoilt(message):
    assert wire.decode_message(json.dumps(message).encode())


def nested(depth):
    return json.loads("[" * depth + "]" * depth)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"hello",
        b"\xff\xfe",
        b"[]",
        b"7",
        b"{}",
        b'{"type": "Pickle"}',
        b'{"type": ["StopWorker"]}',
        b'{"type": "CancelJob", "job_id": "a"}',
        b'{"type": "StopWorker", "drain": NaN}',
        b'{"type": "StopWorker", "drain": ' + b"[" * 100_000,
        b'{"a":' * 50_000,
        *(
            json.dumps(message | fields).encode()
            for message, fields in [
                (READY, {"models": [7]}),
                (READY, {"models": 7}),
                (READY, {"models": "starter"}),
                (READY, {"device": None}),
                (WHOLE, {"config": {"model": "x", "colour": "red"}}),
                (WHOLE, {"config": {"max_jobs": "16"}}),
                (WHOLE, {"config": []}),
                (ERROR, {"reason": "The model is missing."}),
                (ERROR, {"reason": {"code": 7, "params": {}}}),
                (ERROR, {"reason": {"code": "r", "params": {"deep": nested(40)}}}),
                (LOST, {"jobs": [["a", 1, 2]]}),
                (LOST, {"jobs": [["a", "1"]]}),
                (LOST, {"hurry": 1}),
                (STEP, {"attempt": "1"}),
                (STEP, {"attempt": True}),
                (STEP, {"attempt": 1.5}),
                (STEP, {"attempt": 2**63}),
                (STEP, {"attempt": 10**4000}),
                (STEP, {"job_id": ["a"]}),
                (STEP, {"preview": 7}),
                (STEP, {"flops": "many"}),
                (STEP, {"flops": float("inf")}),
                (END, {"seconds": float("nan")}),
                (END, {"images": {"path": "a"}}),
                (END, {"notes": [{"code": "r"}]}),
                (END, {"text": None}),
            ]
        ),
        json.dumps(STEP).replace('"steps": 2', '"flops": 1e999, "steps": 2').encode(),
    ],
)
def test_what_is_no_message_is_refused(body):
    with pytest.raises(WireError):
        wire.decode_message(body)


@given(
    st.sampled_from([READY, STEP, END, ERROR, LOST, WHOLE]),
    st.data(),
)
def test_a_message_with_a_field_of_any_kind_is_refused_or_of_the_declared_types(message, data):
    field = data.draw(st.sampled_from(sorted(set(message) - {"type"})))
    values = JSON | st.floats() | st.integers() | st.lists(JSON)
    body = json.dumps(message | {field: data.draw(values)}).encode()
    try:
        read = wire.decode_message(body)
    except WireError:
        return

    assert wire.decode_message(wire.encode_message(read)[wire.FRAME_HEADER.size :]) == read


@given(st.binary(max_size=60))
def test_noise_is_refused_and_never_worse(body):
    with pytest.raises(WireError):
        wire.decode_message(body)


def test_an_unknown_field_is_named():
    body = json.dumps({"type": "StopWorker", "drain": True, "hurry": 1}).encode()

    with pytest.raises(WireError, match="hurry"):
        wire.decode_message(body)


def test_a_length_beyond_any_message_is_refused_before_it_is_read():
    with pytest.raises(WireError, match="something else wrote"):
        wire.read_message(io.BytesIO(b"Loading pipeline"))


def test_the_longest_frame_is_the_same_for_both_sides():
    room = (
        wire.MAX_FRAME_BYTES
        - len(wire.encode_message(events.StartFailed(reason=Notice(""))))
        + wire.FRAME_HEADER.size
    )
    longest = events.StartFailed(reason=Notice("x" * room))

    assert wire.read_message(io.BytesIO(wire.encode_message(longest))) == longest
    with pytest.raises(WireError, match="over the limit"):
        wire.encode_message(events.StartFailed(reason=Notice("x" * (room + 1))))


@pytest.mark.parametrize("seed", [2**63, 2**64 - 1])
def test_every_seed_reaches_the_worker_and_comes_back(seed):
    params = {"seed": seed}
    submission = commands.SubmitJob(job_id="a", attempt=1, kind="img2img", params=params)
    file = events.OutputFile(path="a.png", width=8, height=8, media_type="image/png", seed=seed)
    for message in (submission, events.JobFinished(job_id="a", attempt=1, images=(file,))):
        body = wire.encode_message(message)[wire.FRAME_HEADER.size :]
        assert wire.decode_message(body) == message
