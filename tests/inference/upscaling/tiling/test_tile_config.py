from __future__ import annotations

import pytest

from inference.upscaling.tiling.tile_config import (
    CANDIDATE_SIDES,
    MAX_CALL_TILES,
    SEARCH_BUDGET_SECONDS,
    Search,
    TileConfig,
    TimingTrial,
    search_tile_config,
)


def run(search: Search, cost) -> tuple[TileConfig, list[TimingTrial], float]:
    """Answer a search from a rule of seconds; give what it found, asked and spent."""
    asked: list[TimingTrial] = []
    spent = 0.0
    seconds = None
    while True:
        try:
            trial = next(search) if not asked else search.send(seconds)
        except StopIteration as stop:
            return stop.value, asked, spent
        asked.append(trial)
        seconds = cost(trial)
        spent += seconds or 0.0


def per_pixel(seconds: float):
    """Cost by pixels alone: nothing is gained by tiles together."""
    return lambda trial: seconds * trial.count * trial.side**2


def test_a_fast_device_takes_the_largest_tile():
    found, _, _ = run(search_tile_config(CANDIDATE_SIDES, 32), per_pixel(1e-8))

    assert found.side == 512


def test_a_slow_one_keeps_its_calls_short():
    quick, slow = (
        run(search_tile_config(CANDIDATE_SIDES[:3], 32), per_pixel(cost))[0]
        for cost in (1e-6, 2e-4)
    )

    assert (quick.side, slow.side) == (256, 192)


def test_tiles_that_do_not_gain_by_it_run_one_by_one():
    found, _, _ = run(search_tile_config(CANDIDATE_SIDES, 32), per_pixel(1e-8))

    assert [found.tiles_per_call(side, side) for side in (128, 256)] == [1, 1]


def test_small_tiles_share_a_call_where_that_pays():
    found, _, _ = run(
        search_tile_config(CANDIDATE_SIDES, 32),
        lambda trial: 0.01 + 1e-9 * trial.count * trial.side**2,
    )

    assert found.tiles_per_call(128, 128) == MAX_CALL_TILES
    assert found.tiles_per_call(256, 256) == 2
    assert found.tiles_per_call(512, 512) == 1


@pytest.mark.parametrize("cost", [1e-8, 1e-5, 1e-4, 1e-3])
def test_the_time_is_bounded_but_for_the_last_call(cost):
    found, asked, spent = run(search_tile_config(CANDIDATE_SIDES, 32), per_pixel(cost))

    largest = max(per_pixel(cost)(trial) for trial in asked)
    assert spent <= SEARCH_BUDGET_SECONDS + 2 * largest
    assert found.side in CANDIDATE_SIDES


def test_what_does_not_fit_is_not_taken():
    def cost(trial: TimingTrial) -> float | None:
        return None if trial.count * trial.side**2 > 256**2 else 0.001

    found, asked, _ = run(search_tile_config(CANDIDATE_SIDES, 32), cost)

    assert found.side == 256
    assert TimingTrial(512) not in asked
    assert found.pixels == 128**2 * 4


def test_without_memory_for_any_it_is_the_smallest():
    assert (
        TileConfig(128, pixels=1)
        == run(search_tile_config(CANDIDATE_SIDES, 32), lambda trial: None)[0]
    )


@pytest.mark.parametrize(("factor", "compiled"), [(0.5, True), (0.99, False), (2.0, False)])
def test_a_compiled_network_is_taken_where_it_is_faster(factor, compiled):
    def cost(trial: TimingTrial) -> float:
        return 1e-8 * trial.count * trial.side**2 * (factor if trial.compiled else 1)

    found, asked, _ = run(search_tile_config(CANDIDATE_SIDES, 32, compiles=True), cost)

    assert compiled == found.compiled
    assert sum(trial.compiled for trial in asked) == 2
    assert not any(
        trial.compiled for trial in run(search_tile_config(CANDIDATE_SIDES, 32), cost)[1]
    )
