from __future__ import annotations

import ast
import inspect
from dataclasses import FrozenInstanceError, fields

import pytest

from storage import records
from storage.records import JobRecord, JobState, NewJob, encode_json
from tests.storage.factories import make_job


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("cost", -1.0, "cost is -1.0, but must be"),
        ("cost", float("nan"), "cost is nan"),
        ("cost", float("inf"), "cost is inf"),
        ("weight", 0.0, "weight is 0.0, but must be"),
        ("weight", float("inf"), "weight is inf"),
        ("kind", "", "kind is empty"),
        ("owner", "", "owner is empty"),
        ("idempotency_key", "", "idempotency_key is empty"),
    ],
)
def test_a_job_that_the_queue_could_not_keep_cannot_be_built(field, value, words):
    with pytest.raises(ValueError, match=words):
        make_job(**{field: value})


def test_records_are_frozen_and_named():
    job = make_job()

    with pytest.raises(FrozenInstanceError):
        job.cost = 2.0  # type: ignore[misc]
    with pytest.raises(TypeError):
        NewJob("img2img")  # type: ignore[call-arg]


def test_which_states_are_terminal():
    assert {state for state in JobState if state.is_terminal} == {"done", "failed", "cancelled"}


async def test_the_record_has_a_field_for_every_column(database):
    rows = await database.fetch_all("SELECT name FROM pragma_table_info('job')")

    assert {row["name"] for row in rows} == {field.name for field in fields(JobRecord)} | {
        "lease_length",
        "address_since",
        "ahead",
        "spent",
        "spent_seconds",
        "share",
    }


async def test_numbers_are_floats_however_the_database_gives_them(enqueue, jobs):
    given = await enqueue(cost=2.0, weight=1.0)

    for record in (given, await jobs.reader.get_job(given.id)):
        assert [type(each) for each in (record.cost, record.weight, record.charged)] == [float] * 3


def test_what_json_cannot_say_is_refused():
    with pytest.raises(ValueError, match="JSON"):
        encode_json({"sigma": float("nan")})
    with pytest.raises(TypeError):
        encode_json({"picture": b"bytes"})


def test_every_field_says_what_it_means():
    source = inspect.getsource(records)
    lines = source.splitlines()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ClassDef):
            for each in node.body:
                if isinstance(each, ast.AnnAssign | ast.Assign):
                    assert "#:" in lines[each.lineno - 2], ast.unparse(each)
