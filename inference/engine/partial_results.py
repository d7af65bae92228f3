"""Finished parts of a job: pictures that a later attempt takes over instead of painting them."""

from __future__ import annotations

import dataclasses
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from inference.engine.work import ControlWork, DenoiseResult, DenoiseWork

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, kw_only=True, eq=False)
class PartialResult:
    """A work that is done, and what it came to."""

    #: The `part` of the work.
    number: int
    #: Says exactly which work it was: see `fingerprint_work`.
    fingerprint: str
    #: RGB, as the work's result had it.
    image: Image.Image


class PartialResults:
    """What earlier attempts at a job have finished."""

    def __init__(self, parts: Iterable[PartialResult] = ()) -> None:
        self._parts = {(part.number, part.fingerprint): part.image for part in parts}

    def find_result(self, work: DenoiseWork) -> DenoiseResult | None:
        """Give the result of a work that was done before, or None.

        Only the very same work counts, down to the pixels it starts from: a host who changed the
        checkpoint's name meanwhile gets no picture of two minds.
        """
        if work.part is None or not self._parts:
            return None
        image = self._parts.get((work.part, fingerprint_work(work)))
        if image is None:
            return None
        import torch  # the scheduler imports this module and has no tensor in it

        return DenoiseResult(image=image, latent=torch.empty(0))


def make_partial_result(work: DenoiseWork, result: DenoiseResult) -> PartialResult | None:
    """Make a part of a finished work, or None where it is none."""
    if work.part is None or result.image is None:
        return None
    return PartialResult(number=work.part, fingerprint=fingerprint_work(work), image=result.image)


def fingerprint_work(work: DenoiseWork) -> str:
    """Hash everything that a work's result depends on, to 32 hexadecimal digits."""
    digest = hashlib.sha256()
    for item in dataclasses.fields(work):
        digest.update(f"\0{item.name}=".encode())
        digest.update(_content_bytes(getattr(work, item.name)))
    return digest.hexdigest()[:32]


def _content_bytes(value: object) -> bytes:
    match value:
        case Image.Image():
            return f"{value.mode}{value.size}".encode() + value.tobytes()
        case tuple():
            return b"".join(_content_bytes(item) + b"\0" for item in value)
        case np.ndarray():
            return f"{value.shape}".encode() + value.tobytes()
        case ControlWork():
            values = (getattr(value, item.name) for item in dataclasses.fields(value))
            return b"".join(b"\0" + _content_bytes(item) for item in values)
        case tuple():
            return b"".join(b"\0\0" + _content_bytes(item) for item in value)
        case _ if hasattr(value, "numpy"):  # a tensor
            return _content_bytes(value.numpy())
        case _:
            return repr(value).encode()
