from inference.interrogation.ratings import Rating, rate
from inference.interrogation.tags import Label, Tag, TagKind


def rated(**chances):
    tags = [Tag(Label(name, TagKind.RATING), chance) for name, chance in chances.items()]
    return rate([*tags, Tag(Label("explicit"), 0.99)])


def test_every_taggers_names_lie_on_one_scale():
    assert Rating.GENERAL == rated(safe=0.8, questionable=0.2, explicit=0.1).likeliest
    assert Rating.SENSITIVE == rated(general=0.3, sensitive=0.6, explicit=0.1).likeliest
    assert Rating.EXPLICIT == rated(general=0.5, explicit=0.5).likeliest


def test_the_worst_that_is_likely_can_be_asked_for():
    found = rated(general=0.7, sensitive=0.1, questionable=0.4, explicit=0.2)
    assert (0.7, 0.4, 0.4, 0.2) == tuple(found.at_least(rating) for rating in Rating)
    assert 0.0 == rated(safe=0.7).at_least(Rating.EXPLICIT)


def test_a_tagger_without_ratings_rates_nothing():
    assert rated() is None
    assert rated(unheard_of=0.5) is None
