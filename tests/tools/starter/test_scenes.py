import numpy as np

from tools.starter.captions import COLOURS
from tools.starter.measures import background_colours
from tools.starter.scenes import Chances, scene, scenes, stacked


def test_the_ground_is_the_colour_that_the_caption_says(dataset):
    choice = np.random.default_rng(0)
    rows = dataset.training_rows(concepts_only=True)
    drawn = scenes(dataset, rows, rows, choice, Chances(coloured_ground=1.0, pair=0.5))
    assert [s.colour for s in drawn] == background_colours(stacked(drawn))
    assert len({s.colour for s in drawn}) > len(COLOURS) // 2


def test_pairs_are_named_from_left_to_right(dataset):
    rows = dataset.training_rows(concepts_only=True)
    drawn = scene(dataset, rows[0], rows, np.random.default_rng(1), Chances(pair=1.0))
    left, right = drawn.name.split(" left of ")
    assert dataset.names[rows[0]] == left
    assert right in dataset.names


def test_recoloured_icons_carry_the_colour_in_their_name(dataset):
    rows = dataset.rows(names=frozenset({"dog"}))
    drawn = scene(
        dataset, rows[0], rows, np.random.default_rng(1), Chances(recoloured=1.0, pair=0.0)
    )
    colour, name = drawn.name.split()
    assert name == "dog"
    assert colour in COLOURS


def test_named_colours_are_never_contradicted(dataset):
    rows = dataset.rows(names=frozenset({"blue heart"}))
    drawn = scene(
        dataset, rows[0], rows, np.random.default_rng(1), Chances(recoloured=1.0, pair=0.0)
    )
    assert drawn.name == "blue heart"


def test_the_same_generator_draws_the_same_scene(dataset):
    rows = dataset.training_rows(concepts_only=True)
    one, two = (
        stacked(scenes(dataset, rows[:4], rows, np.random.default_rng(5), Chances()))
        for _ in range(2)
    )
    assert one.equal(two)
