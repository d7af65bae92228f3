import numpy as np
import pytest
import torch

from inference.sampling.noise import NoiseSource, SeedVariation
from inference.sampling.philox import PhiloxGenerator, scramble_counters

#: Counter, key and result, as Random123 publishes them for philox4x32 with ten rounds.
ANSWERS = (
    (
        "00000000 00000000 00000000 00000000",
        "00000000 00000000",
        "6627e8d5 e169c58d bc57ac4c 9b00dbd8",
    ),
    (
        "ffffffff ffffffff ffffffff ffffffff",
        "ffffffff ffffffff",
        "408f276d 41c83b0e a20bc7c6 6d5451fd",
    ),
    (
        "243f6a88 85a308d3 13198a2e 03707344",
        "a4093822 299f31d0",
        "d16cfe09 94fdcceb 5001e420 24126ea1",
    ),
)


def words(text):
    return np.array([[int(word, 16)] for word in text.split()], dtype=np.uint32)


@pytest.mark.parametrize(("counter", "key", "answer"), ANSWERS)
def test_the_published_answers(counter, key, answer):
    assert np.array_equal(words(answer), scramble_counters(words(counter), words(key)))


def test_the_numbers_of_a_card():
    expected = torch.tensor([-0.9247, -0.4253, -2.6438, 0.1452])

    assert torch.allclose(expected, PhiloxGenerator(0).randn((4,)), atol=5e-5)


def test_every_draw_is_another_and_every_seed_too():
    generator = PhiloxGenerator(2**40 + 3)
    first, second = generator.randn((4, 8, 8)), generator.randn((4, 8, 8))
    generator.manual_seed(2**40 + 3)

    assert not torch.equal(first, second)
    assert torch.equal(first, generator.randn((4, 8, 8)))
    assert not torch.equal(first, PhiloxGenerator(3).randn((4, 8, 8)))


def test_many_numbers_are_normal():
    numbers = PhiloxGenerator(11).randn((200_000,)).double()

    assert abs(float(numbers.mean())) < 0.01
    assert abs(float(numbers.var()) - 1) < 0.01
    assert abs(float((numbers.abs() < 1).double().mean()) - 0.6827) < 0.01


def test_a_row_draws_all_its_noise_from_the_chosen_generator():
    source = NoiseSource(5, (4, 8, 8), rng="NV")
    generator = PhiloxGenerator(5)

    assert torch.equal(generator.randn((4, 8, 8)), source.initial_noise())
    assert torch.equal(generator.randn((4, 8, 8)), source.fresh_noise())
    varied = NoiseSource(5, (4, 8, 8), rng="NV", variation=SeedVariation(9, 1.0)).initial_noise()
    assert torch.allclose(PhiloxGenerator(9).randn((4, 8, 8)), varied, atol=1e-5)
