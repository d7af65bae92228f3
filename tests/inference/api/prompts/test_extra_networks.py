from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.api.errors import JobError
from inference.api.prompts.extra_networks import ExtraNetworkTag, LoraTag, read_loras, take_networks


@pytest.mark.parametrize(
    ("text", "rest", "networks"),
    [
        ("misty harbour", "misty harbour", ()),
        ("a <lora:ink:0.7> b", "a  b", (ExtraNetworkTag("lora", ("ink", "0.7")),)),
        (
            "<lora:ink:te=0.5:unet=1>",
            "",
            (ExtraNetworkTag("lora", ("ink",), (("te", "0.5"), ("unet", "1"))),),
        ),
        ("<hypernet:old:1>x", "x", (ExtraNetworkTag("hypernet", ("old", "1")),)),
        ("I <3 you :>", "I <3 you :>", ()),
        ("a < b <lora:x> > c", "a < b  > c", (ExtraNetworkTag("lora", ("x",)),)),
        ("<lora:>", "<lora:>", ()),
    ],
)
def test_tags_are_taken_out(text: str, rest: str, networks: tuple[ExtraNetworkTag, ...]) -> None:
    assert take_networks(text) == (rest, networks)


@pytest.mark.parametrize(
    ("tag", "expected"),
    [
        ("<lora:ink>", LoraTag("ink", 1.0, 1.0)),
        ("<lora:ink:0.7>", LoraTag("ink", 0.7, 0.7)),
        ("<lora:ink:0.7:0.2>", LoraTag("ink", 0.7, 0.2)),
        ("<lora:ink:0.7:0.2:8>", LoraTag("ink", 0.7, 0.2, 8)),
        ("<lora:ink:-1>", LoraTag("ink", -1.0, -1.0)),
        ("<lora:ink:te=0>", LoraTag("ink", 0.0, 0.0)),
        ("<lora:ink:0.7:unet=0.1:dyn=4>", LoraTag("ink", 0.7, 0.1, 4)),
        ("<lyco:ink:0.7>", LoraTag("ink", 0.7, 0.7)),
        ("<lora:sub/ink v2.1:1>", LoraTag("sub/ink v2.1")),
    ],
)
def test_worked_loras(tag: str, expected: LoraTag) -> None:
    assert read_loras(take_networks(tag)[1]) == (expected,)


def test_the_last_tag_of_a_name_holds_and_other_kinds_are_left() -> None:
    networks = take_networks("<lora:a:1><hypernet:b:1><lora:c:2><lora:a:0.5>")[1]

    assert read_loras(networks) == (LoraTag("a", 0.5, 0.5), LoraTag("c", 2.0, 2.0))


@pytest.mark.parametrize(
    ("tag", "words"),
    [
        ("<lora:ink:strong>", "“strong” in <lora:ink:strong> is not a number"),
        ("<lora:ink:1:te=x>", "“x” in <lora:ink:1:te=x> is not a number"),
        ("<lora: :1>", "names no LoRA"),
        ("<lora:te=1>", "names no LoRA"),
    ],
)
def test_a_tag_that_cannot_be_meant_says_so(tag: str, words: str) -> None:
    with pytest.raises(JobError, match=words):
        read_loras(take_networks(tag)[1])


@settings(deadline=None)
@given(st.text(alphabet=st.characters(exclude_characters="<"), max_size=60))
def test_text_without_tags_is_kept(text: str) -> None:
    assert take_networks(text) == (text, ())


WORD = st.text(alphabet="abc 0.5-", min_size=1, max_size=6)


@settings(deadline=None)
@given(
    st.text(alphabet="ab, ", max_size=9),
    st.lists(WORD, min_size=1, max_size=4),
    st.lists(st.tuples(st.sampled_from(["te", "unet", "dyn"]), WORD), max_size=3),
)
def test_a_written_tag_is_read_back(
    text: str, arguments: list[str], named: list[tuple[str, str]]
) -> None:
    network = ExtraNetworkTag("lora", tuple(arguments), tuple(named))

    assert take_networks(f"{text}{network}{text}") == (text + text, (network,))
