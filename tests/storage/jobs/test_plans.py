"""Each hot question is answered from its own index, without sorting."""

from __future__ import annotations

import re

import pytest

from storage.jobs import attempts, claims, deliveries, guild_load, queue, reader, retention

HOT = {
    "claim": (claims.CLAIM_NEXT, ["member_waiting", "job_queued"]),
    "claim one": (claims.CLAIM_JOB, ["sqlite_autoindex_job_1"]),
    "a group": (claims.SELECT_QUARANTINED, ["job_quarantined"]),
    "claim a group": (claims.CLAIM_QUARANTINE, ["job_quarantined"]),
    "last group": (attempts.SELECT_LAST_QUARANTINE, ["job_quarantined"]),
    "expire": (attempts.SELECT_EXPIRED, ["job_running"]),
    "recover": (attempts.SELECT_RUNNING, ["job_running"]),
    "renew": (attempts.RENEW_LEASES, ["sqlite_autoindex_job_1"]),
    "finish": (attempts.FINISH_JOB, ["sqlite_autoindex_job_1"]),
    "pending": (deliveries.SELECT_PENDING, ["job_delivery_pending"]),
    "interrupted": (deliveries.SELECT_INTERRUPTED, ["job_delivery_sending"]),
    "undelivered": (deliveries.SELECT_UNDELIVERED, ["job_undelivered"]),
    "begin": (deliveries.BEGIN_DELIVERY, ["sqlite_autoindex_job_1"]),
    "limits": (
        queue.CHECK_NEW_JOB,
        ["job_queued_guild", "sqlite_autoindex_job_1", "job_raised_share"],
    ),
    "shares": (queue.BOUND_SHARES, ["job_raised_share"]),
    "claimable": (claims.COUNT_CLAIMABLE, ["job_queued"]),
    "list": (reader.SELECT_BY_OWNER, ["job_of_owner"]),
    "pictures": (reader.SELECT_PICTURED, ["job_of_owner"]),
    "count of pictures": (reader.COUNT_PICTURED, ["job_of_owner"]),
    "place": (reader.SELECT_QUEUE_POSITION, ["job_queued", "member_waiting"]),
    "of a server": (guild_load.SELECT_GUILD_LOAD, ["job_queued_guild", "job_running"]),
    "counts": (reader.COUNT_ACTIVE_JOBS, ["member_waiting", "job_running"]),
    "lately done": (reader.SELECT_RECENTLY_FINISHED, ["job_finished"]),
    "first waiting": (reader.SELECT_FIRST_WAITING, ["job_queued", "member_waiting"]),
    "purge": (retention.PURGE_ENDED, ["job_finished"]),
    "purge of a server": (retention.PURGE_GUILD, ["job_finished_in_guild"]),
    "purge of the cancelled": (retention.PURGE_CANCELLED, ["job_cancelled"]),
    "owners": (retention.SELECT_OWNERS, ["job_of_owner"]),
    "servers": (retention.SELECT_GUILDS, ["job_finished_in_guild"]),
    "old addresses": (deliveries.SELECT_EXPIRED_REPLY_TARGETS, ["job_address"]),
    "pictures of a member": (
        retention.REFERENCED_QUERIES[retention.OWNER_CONDITION][0],
        ["job_of_owner"],
    ),
}


async def plan_of(database, sql):
    values = dict.fromkeys(PARAMETERS) if ":" in sql else (None,) * sql.count("?")
    rows = await database.fetch_all("EXPLAIN QUERY PLAN " + sql, values)
    return [row["detail"] for row in rows]


PARAMETERS = frozenset(
    name
    for sql in (
        *(sql for sql, _ in HOT.values()),
        claims.CLAIM_WITH_AFFINITY,
        claims.SELECT_FIRST_OF_MEMBERS,
    )
    for name in re.findall(r":(\w+)", sql)
)


@pytest.mark.parametrize("name", HOT)
async def test_a_hot_question_uses_its_index_and_sorts_nothing(database, name):
    sql, indexes = HOT[name]

    plan = await plan_of(database, sql)

    for index in indexes:
        assert any(index in line for line in plan), plan
    assert not [line for line in plan if "TEMP B-TREE" in line or line == "SCAN job"], plan


@pytest.mark.parametrize("sql", [claims.CLAIM_WITH_AFFINITY, claims.SELECT_FIRST_OF_MEMBERS])
async def test_the_first_in_line_are_found_by_their_index_among_few_members(database, sql):
    plan = await plan_of(database, sql)

    for index in ("member_waiting", "job_queued"):
        assert any(index in line for line in plan), plan
    assert not [line for line in plan if line in ("SCAN job", "SCAN member")], plan
    assert "LIMIT 16" in claims.CLAIM_WITH_AFFINITY


async def test_a_member_who_returns_is_lifted_without_a_scan(database):
    plan = await plan_of(
        database,
        "SELECT min(other.vtime) FROM member AS other"
        " WHERE other.queued > 0 AND other.owner <> 'ada'",
    )

    assert any("member_waiting" in line for line in plan), plan


async def test_the_newest_id_is_found_at_the_end_of_its_index(database):
    plan = await plan_of(database, "SELECT max(id) AS id FROM job")

    assert any("SEARCH job USING COVERING INDEX sqlite_autoindex_job_1" in line for line in plan)
