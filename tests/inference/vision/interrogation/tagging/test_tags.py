import pytest

from inference.vision.interrogation.tagging.tags import (
    Tag,
    TagKind,
    TagLabel,
    TagRules,
    format_tags,
    without_ratings,
)

TAGS = (
    Tag(TagLabel("safe", TagKind.RATING), 0.2),
    Tag(TagLabel("questionable", TagKind.RATING), 0.7),
    Tag(TagLabel("smile"), 0.9),
    Tag(TagLabel("long_hair"), 0.5),
    Tag(TagLabel("miku_(vocaloid)", TagKind.CHARACTER), 0.812),
    Tag(TagLabel("back\\slash"), 0.6),
    Tag(TagLabel("hat"), 0.4999),
)


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        (TagRules(), r"back\\slash, long hair, miku \(vocaloid\), smile"),
        (TagRules(order="score"), r"smile, miku \(vocaloid\), back\\slash, long hair"),
        (TagRules(threshold=0.8, spaces=False), r"miku_\(vocaloid\), smile"),
        (TagRules(threshold=0.8, escape=False), "miku (vocaloid), smile"),
        (TagRules(threshold=0.8, show_ranks=True), r"(miku \(vocaloid\):0.812), (smile:0.900)"),
        (TagRules(hidden=("Long Hair", "back\\slash", "miku_(vocaloid)")), "smile"),
        (TagRules(threshold=0.95), ""),
    ],
)
def test_tags_are_written_as_the_field_writes_them(rules, expected):
    assert format_tags(TAGS, rules) == expected


def test_ratings_are_no_tags():
    assert without_ratings(TAGS) == TAGS[2:]


def test_faces_keep_their_underscores():
    faces = ("^_^", "o_o", "0_0", "(o)_(o)")
    tags = [Tag(TagLabel(name), 0.9) for name in (*faces, "2_cats", "v-neck_top")]
    assert format_tags(tags, TagRules(escape=False)) == "(o)_(o), 0_0, 2 cats, ^_^, o_o, v-neck top"


def test_the_likeliest_few_are_kept_in_their_order():
    assert format_tags(TAGS, TagRules(top=2)) == r"miku \(vocaloid\), smile"
    assert format_tags(TAGS, TagRules(top=2, order="score")) == r"smile, miku \(vocaloid\)"


def test_equal_scores_are_sorted_by_name():
    tags = [Tag(TagLabel(name), 0.5) for name in ("b", "a", "c")]
    assert format_tags(tags, TagRules(order="score")) == "a, b, c"
