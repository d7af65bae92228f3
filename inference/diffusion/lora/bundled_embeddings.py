"""Embeddings that a LoRA file brings along: the words that it was trained with."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from torch import Tensor

#: `bundle_emb.NAME.` and what the vectors are called in an embedding's own file.
_BUNDLE_PATTERN = re.compile(
    r"bundle_emb\.(.+?)\.(string_to_param\.[^.]+|emb_params|clip_l|clip_g|clip_h)"
)
#: Names of the vectors of each text encoder; a file for one encoder has its own for them.
_SECOND_ENCODER = "clip_g"


def read_bundled_embeddings(
    tensors: Mapping[str, Tensor], widths: Sequence[int]
) -> tuple[dict[str, tuple[Tensor, ...]], set[str]]:
    """Read the embeddings among a file's tensors that fit text encoders of these widths.

    Give them by name, [vectors, width] float32 for each encoder, and the names of their tensors.
    """
    parts_by_name: dict[str, dict[str, str]] = {}
    for tensor_name in tensors:
        if match := _BUNDLE_PATTERN.fullmatch(tensor_name):
            parts_by_name.setdefault(match[1], {})[match[2]] = tensor_name
    embeddings: dict[str, tuple[Tensor, ...]] = {}
    used_names: set[str] = set()
    for name, parts in parts_by_name.items():
        # That of the second encoder comes last.
        tensor_names = sorted(parts.values(), key=lambda part: part.endswith(_SECOND_ENCODER))
        vectors = tuple(_as_vectors(tensors[part]) for part in tensor_names)
        if [part.shape[-1] for part in vectors] == list(widths) and len(set(map(len, vectors))) < 2:
            embeddings[name] = vectors
            used_names |= set(tensor_names)
    return embeddings, used_names


def _as_vectors(tensor: Tensor) -> Tensor:
    return (tensor[None] if tensor.ndim == 1 else tensor).float()
