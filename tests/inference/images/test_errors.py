from __future__ import annotations

import re

import pytest

from inference.images import errors


def test_every_error_is_drawn_and_speaks():
    kinds = [
        kind
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, errors.ImageError)
    ]
    drawn = set(re.findall(r"^(?:├── |└── |)([A-Z]\w+) ", errors.__doc__, re.MULTILINE)) - {"What"}
    assert {kind.__name__ for kind in kinds} == drawn
    for kind in kinds:
        assert str(kind()).endswith(".")
        assert "\n" not in str(kind())


def test_own_words():
    with pytest.raises(errors.ImageError, match="twice"):
        raise errors.BlankMask("Blank twice.")
