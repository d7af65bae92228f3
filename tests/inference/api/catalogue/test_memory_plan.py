"""How a checkpoint fits a card, for all sizes of parts and cards."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from inference.api.catalogue.memory_plan import (
    LOW_MEMORY_MODES,
    PartSizes,
    count_least_bytes,
    list_plans,
    plan_memory,
)

BYTES = st.integers(0, 2**36)


@st.composite
def draw_sizes(draw):
    network, text, autoencoder = (draw(BYTES) for _ in range(3))
    fp8 = draw(st.integers(network // 2, network))
    return PartSizes(
        network=network,
        text=text,
        autoencoder=autoencoder,
        network_block=draw(st.integers(0, network)),
        text_block=draw(st.integers(0, text)),
        fp8_network=draw(st.sampled_from((0, fp8))),
        fp8_block=fp8 // 8,
    )


SIZES, MODES = draw_sizes(), st.sampled_from(LOW_MEMORY_MODES)
FORMATS = st.sampled_from((None, "full", "fp8"))


@given(SIZES, BYTES, BYTES, MODES, FORMATS)
def test_what_is_chosen_fits_and_is_what_the_host_allows(sizes, free, work, mode, name):
    plan = plan_memory(sizes, free, work, low_memory=mode, weight_format=name)

    ways = list(list_plans(sizes, work, mode, name))
    assert (plan is None) == all(way.bytes > free for way in ways)
    if plan is not None:
        assert work <= plan.bytes <= free
        assert LOW_MEMORY_MODES.index(plan.low_memory) >= LOW_MEMORY_MODES.index(mode)
        assert plan.weight_format == name or name is None or not sizes.fp8_network


@given(SIZES, BYTES, BYTES, BYTES, MODES)
def test_a_larger_card_never_does_worse(sizes, free, more, work, mode):
    ways = list(list_plans(sizes, work, mode, None))
    small, large = (plan_memory(sizes, card, work, low_memory=mode) for card in (free, free + more))

    assert small is None or (large is not None and ways.index(large) <= ways.index(small))


@given(SIZES, BYTES, BYTES)
def test_all_lies_there_at_once_just_where_it_fits(sizes, free, work):
    plan = plan_memory(sizes, free, work)
    is_whole = plan is not None and (plan.fit, plan.weight_format) == ("whole", "full")

    assert is_whole == (sizes.total + work <= free)


@given(SIZES, BYTES)
def test_what_a_refusal_names_as_enough_is_enough_and_no_less_is(sizes, work):
    least = count_least_bytes(sizes, work)

    assert plan_memory(sizes, least, work) is not None
    assert least == 0 or plan_memory(sizes, least - 1, work) is None


def test_flux_on_cards_of_the_field():
    gib = 2**30
    flux = PartSizes(
        network=22 * gib,
        text=9 * gib,
        autoencoder=gib // 6,
        network_block=gib // 2,
        text_block=gib // 3,
        fp8_network=11 * gib,
        fp8_block=gib // 4,
    )
    plans = {card: plan_memory(flux, card * gib, gib) for card in (48, 24, 16, 12, 6)}
    ways = {card: (plan.low_memory, plan.weight_format) for card, plan in plans.items()}

    assert ways == {
        48: ("none", "full"),
        24: ("medvram", "full"),
        16: ("medvram", "fp8"),
        12: ("medvram", "fp8"),
        6: ("lowvram", "full"),
    }
    assert plans[6].text_by_block
    assert not plans[12].text_by_block
    assert plan_memory(replace(flux, fp8_network=0), 12 * gib, gib).low_memory == "lowvram"
