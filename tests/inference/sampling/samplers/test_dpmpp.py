import pytest

from inference.sampling.samplers.dpmpp import sample_dpmpp_2s_ancestral, sample_dpmpp_sde


@pytest.mark.parametrize("function", [sample_dpmpp_2s_ancestral, sample_dpmpp_sde])
def test_without_noise_both_are_of_second_order(order_of, function):
    assert order_of(lambda *row: function(*row, eta=0.0)) == pytest.approx([2, 2], abs=0.1)


@pytest.mark.parametrize("function", [sample_dpmpp_2s_ancestral, sample_dpmpp_sde])
def test_the_data_keeps_its_mean_and_spread(keeps_the_data, function):
    actual, expected = keeps_the_data(function)
    assert actual == expected


@pytest.mark.parametrize("function", [sample_dpmpp_2s_ancestral, sample_dpmpp_sde])
def test_each_step_but_the_last_calls_twice(tiny_network, run_sampler, noise_latent, function):
    _, seen = run_sampler(function, noise_latent * 9, [9.0, 3.0, 1.0, 0.0], tiny_network)
    assert len(seen) == 5
    assert pytest.approx([seen[0], seen[2], seen[4]]) == [9.0, 3.0, 1.0]
    assert seen[0] > seen[1]
    assert seen[2] > seen[3]


def test_sde_middle_is_halfway_in_log_sigma(tiny_network, run_sampler, noise_latent):
    _, seen = run_sampler(sample_dpmpp_sde, noise_latent * 8, [8.0, 2.0, 0.0], tiny_network)
    assert pytest.approx(seen) == [8.0, 4.0, 2.0]


def test_2s_middle_is_halfway_to_the_level_below_the_noise(tiny_network, run_sampler, noise_latent):
    # From 4 to 2: up² = 4·12/16 = 3, so down = 1 and the middle is 2.
    _, seen = run_sampler(
        sample_dpmpp_2s_ancestral, noise_latent * 4, [4.0, 2.0, 0.0], tiny_network
    )
    assert pytest.approx(seen) == [4.0, 2.0, 2.0]


def test_both_noises_of_an_sde_step_lie_on_one_path(tiny_network, run_sampler, noise_latent):
    asked = []

    class Spy:
        def brownian_noise(self, sigma_from, sigma_to):
            asked.append((sigma_from, sigma_to))
            return noise_latent

    sampler = sample_dpmpp_sde(noise_latent, (8.0, 2.0, 0.0), Spy())
    x, sigma = next(sampler)
    try:
        while True:
            x, sigma = sampler.send(tiny_network(x, sigma))
    except StopIteration:
        pass
    assert asked == [(8.0, pytest.approx(4.0)), (8.0, 2.0)]
