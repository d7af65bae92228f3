from __future__ import annotations

import pytest

from inference.pictures import errors


def test_every_error_is_drawn_and_speaks():
    kinds = [
        kind
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, errors.PictureError)
    ]
    assert len(kinds) == 8
    for kind in kinds:
        assert kind.__name__ in errors.__doc__
        assert str(kind()).endswith(".")
        assert "\n" not in str(kind())


def test_own_words():
    with pytest.raises(errors.PictureError, match="twice"):
        raise errors.BlankMask("Blank twice.")
