from inference.vision.interrogation.tagging.ratings import ContentRating, rating_scores
from inference.vision.interrogation.tagging.tags import Tag, TagKind, TagLabel


def rated(**chances):
    tags = [Tag(TagLabel(name, TagKind.RATING), chance) for name, chance in chances.items()]
    return rating_scores([*tags, Tag(TagLabel("explicit"), 0.99)])


def test_every_taggers_names_lie_on_one_scale():
    assert rated(safe=0.8, questionable=0.2, explicit=0.1).likeliest_rating == ContentRating.GENERAL
    assert (
        rated(general=0.3, sensitive=0.6, explicit=0.1).likeliest_rating == ContentRating.SENSITIVE
    )
    assert rated(general=0.5, explicit=0.5).likeliest_rating == ContentRating.EXPLICIT


def test_the_worst_that_is_likely_can_be_asked_for():
    found = rated(general=0.7, sensitive=0.1, questionable=0.4, explicit=0.2)
    assert tuple(found.probability_at_least(rating) for rating in ContentRating) == (
        0.7,
        0.4,
        0.4,
        0.2,
    )
    assert rated(safe=0.7).probability_at_least(ContentRating.EXPLICIT) == 0.0


def test_a_tagger_without_ratings_rates_nothing():
    assert rated() is None
    assert rated(unheard_of=0.5) is None
