import itertools
import subprocess
import sys

import pytest
import torch

from inference.api.jobs import names as jobs
from inference.api.jobs.names import ADAPTIVE_CALLS
from inference.sampling.initial_latent import from_latent, from_noise
from inference.sampling.noise import NoiseSource
from inference.sampling.noise_table import NoiseTable
from inference.sampling.registry import SAMPLER_SPECS, SCHEDULE_FUNCTIONS, sampler_names
from inference.sampling.sampler_traits import SAMPLER_TRAITS
from inference.sampling.step_plan import plan_noise_levels

SHAPE = (4, 4, 4)
TABLE = NoiseTable.from_config({})


def row(sampler, layout, seed):
    noise = NoiseSource(seed, SHAPE)
    return SAMPLER_SPECS[sampler].run(
        from_noise(layout, noise.initial_noise()), layout.sigmas, noise
    )


def predicting(sampler, denoise):
    """Predict what a sampler is sent; the two of CFG++ differ by a hundredth."""
    if not SAMPLER_SPECS[sampler].uses_unconditional:
        return denoise
    return lambda x, sigma: torch.stack([denoise(x, sigma), 0.99 * denoise(x, sigma)])


def finish(coroutine, denoise, sampler):
    """Run one row alone; return its latent and the number of calls."""
    count = 0
    predict = predicting(sampler, denoise)
    try:
        x, sigma = next(coroutine)
        while True:
            count += 1
            x, sigma = coroutine.send(predict(x, sigma))
    except StopIteration as stop:
        return stop.value, count


@pytest.mark.parametrize("sampler", SAMPLER_SPECS)
def test_every_sampler_on_every_schedule(gaussian, table, sampler):
    for schedule, steps in itertools.product(SCHEDULE_FUNCTIONS, (1, 2, 3, 20)):
        layout = plan_noise_levels(sampler, schedule, steps, None, table)
        result, count = finish(row(sampler, layout, seed=steps), gaussian.denoise, sampler)
        assert torch.isfinite(result).all(), (schedule, steps)
        assert result.abs().max() < 30, (schedule, steps)
        assert count == layout.network_calls or sampler in ADAPTIVE_CALLS, (schedule, steps)


@pytest.mark.parametrize("sampler", SAMPLER_SPECS)
def test_zero_terminal_snr_stays_finite(gaussian, sampler):
    table = NoiseTable.from_config({"rescale_betas_zero_snr": True})
    for schedule, steps in itertools.product(("Uniform", "Karras"), (1, 2, 20)):
        layout = plan_noise_levels(sampler, schedule, steps, None, table)
        result, _ = finish(row(sampler, layout, seed=steps), gaussian.denoise, sampler)
        assert torch.isfinite(result).all(), (schedule, steps)


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize("strength", [0.0, 0.02, 0.5, 1.0])
@pytest.mark.parametrize("sampler", SAMPLER_SPECS)
def test_every_sampler_at_every_strength(gaussian, sampler, strength, exact):
    latent = torch.full(SHAPE, gaussian.mean)
    for steps in (1, 3, 20):
        layout = plan_noise_levels(sampler, "Automatic", steps, strength, TABLE, exact)
        noise = NoiseSource(steps, SHAPE)
        start = from_latent(layout, latent, noise.initial_noise())
        if layout.step_count == 0:
            assert torch.equal(latent, start)
            continue
        result, count = finish(
            SAMPLER_SPECS[sampler].run(start, layout.sigmas, noise), gaussian.denoise, sampler
        )
        assert torch.isfinite(result).all()
        assert count == layout.network_calls or sampler in ADAPTIVE_CALLS
        if strength == 0.02 and exact and sampler != "LCM":  # which noises anew at every step
            assert (result - latent).abs().max() < 1.0


@pytest.mark.parametrize("sampler", SAMPLER_SPECS)
def test_a_seed_gives_one_picture(gaussian, sampler):
    layout = plan_noise_levels(sampler, "Automatic", 12, None, TABLE)
    first, second, other = (
        finish(row(sampler, layout, seed), gaussian.denoise, sampler)[0] for seed in (7, 7, 8)
    )
    assert torch.equal(first, second)
    assert not torch.equal(first, other)


@pytest.mark.parametrize(
    "sampler", [name for name in SAMPLER_SPECS if SAMPLER_SPECS[name].uses_noise]
)
def test_fresh_noise_reaches_the_picture(tiny_network, sampler):
    layout = plan_noise_levels(sampler, "Automatic", 24, None, TABLE)
    latents = []
    for seed in (1, 2):
        noise = NoiseSource(seed, SHAPE)
        start = torch.full(SHAPE, layout.sigmas[0])
        latents.append(
            finish(SAMPLER_SPECS[sampler].run(start, layout.sigmas, noise), tiny_network, sampler)[
                0
            ]
        )
    assert not torch.equal(*latents)


def test_rows_of_all_samplers_interleaved_equal_each_alone(tiny_network):
    layouts = {
        name: plan_noise_levels(name, "Automatic", 5 + i, None, TABLE)
        for i, name in enumerate(SAMPLER_SPECS)
    }
    alone = {
        name: finish(row(name, layouts[name], 3), tiny_network, name)[0] for name in SAMPLER_SPECS
    }
    rows = {name: row(name, layouts[name], 3) for name in SAMPLER_SPECS}
    waiting = {name: next(coroutine) for name, coroutine in rows.items()}
    done = {}
    while waiting:
        for name, (x, sigma) in list(waiting.items()):
            try:
                waiting[name] = rows[name].send(predicting(name, tiny_network)(x, sigma))
            except StopIteration as stop:
                done[name] = stop.value
                del waiting[name]
    assert alone.keys() == done.keys()
    for name in SAMPLER_SPECS:
        assert torch.equal(alone[name], done[name])


@pytest.mark.parametrize("sampler", SAMPLER_SPECS)
def test_a_sampler_leaves_what_it_was_given(gaussian, sampler):
    layout = plan_noise_levels(sampler, "Automatic", 6, None, TABLE)
    noise = NoiseSource(1, SHAPE)
    start = from_noise(layout, noise.initial_noise())
    kept = start.clone()
    coroutine = SAMPLER_SPECS[sampler].run(start, layout.sigmas, noise)
    x, sigma = next(coroutine)
    try:
        while True:
            denoised = predicting(sampler, gaussian.denoise)(x, sigma)
            before = x.clone(), denoised.clone()
            given = x
            x, sigma = coroutine.send(denoised)
            assert torch.equal(before[0], given)
            assert torch.equal(before[1], denoised)
    except StopIteration:
        assert torch.equal(kept, start)


def test_every_sampler_has_its_facts():
    assert tuple(SAMPLER_TRAITS) == sampler_names()


def test_jobs_may_ask_for_exactly_these():
    assert sampler_names() == jobs.SAMPLER_NAMES
    assert tuple(SCHEDULE_FUNCTIONS) == jobs.SCHEDULE_NAMES


def test_a_spec_carries_its_own_name():
    assert {name: spec.name for name, spec in SAMPLER_SPECS.items()} == {
        name: name for name in sampler_names()
    }


def test_pricing_loads_no_torch():
    code = (
        "import sys; from inference.sampling.step_plan import count_network_calls;"
        "assert count_network_calls(20, 0.5, True, 'Heun') == 39; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
