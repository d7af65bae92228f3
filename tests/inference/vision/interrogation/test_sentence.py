import pytest

from inference.vision.interrogation.ranking.matches import PhraseMatch
from inference.vision.interrogation.sentence import format_caption

MATCHES = (
    PhraseMatch("red apple", 0.9),
    PhraseMatch("noto style", 0.1234),
    PhraseMatch("on white background", 1.0),
)


@pytest.mark.parametrize(
    ("caption", "matches", "expected"),
    [
        ("a fruit", MATCHES, "a fruit, red apple, noto style, on white background"),
        ("a red apple, noto style", MATCHES, "a red apple, noto style, on white background"),
        ("a bored appleman", MATCHES[:1], "a bored appleman, red apple"),
        (None, MATCHES, "red apple, noto style, on white background"),
        ("", MATCHES[:1], "red apple"),
        ("a fruit", (), "a fruit"),
    ],
)
def test_matches_follow_the_caption(caption, matches, expected):
    assert format_caption(caption, matches) == expected


def test_ranks_are_written_as_weights():
    expected = "a red apple, (red apple:0.900), (noto style:0.123)"
    assert format_caption("a red apple", MATCHES[:2], show_ranks=True) == expected
    assert format_caption(None, MATCHES[:1], show_ranks=True) == "(red apple:0.900)"
