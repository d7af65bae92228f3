"""Textual inversions: learned vectors that a prompt names like words (Gal et al. 2022)."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from torch import Tensor

from inference.api.errors import JobError
from inference.model_files.errors import ModelError
from inference.model_files.header import read_header
from inference.model_files.identity import embedding_width, identify_header
from inference.model_files.inspection import list_usable
from inference.model_files.reader import open_tensors
from inference.prompts.conditioning import Conditioning, PromptEncoder

#: SDXL's files hold the vectors of both text encoders under these names.
SDXL_TENSOR_NAMES = ("clip_l", "clip_g")
#: What ComfyUI's prompts write before an embedding's name.
EMBEDDING_MARK = "embedding:"
#: Numbers of one text encoder's vectors: far more than a prompt has room for.
MAX_NUMBERS = 2**24


@dataclass(frozen=True, eq=False)
class CheckpointEmbeddings:
    """Embeddings of one checkpoint: for each text encoder, names to [vectors, width] float32."""

    vectors: tuple[Mapping[str, Tensor], ...] = ()
    #: Names of those made for other families, and how wide they are.
    foreign: Mapping[str, int] = field(default_factory=dict)

    def foreign_words(self, text: str) -> list[str]:
        """List the words of a text that name one of another family; they stay words."""
        return [name for name in self.foreign if _names_pattern(name).search(text)]

    def check_prompt(self, text: str, width: int) -> None:
        """See that a prompt names none of another family in a way that can mean nothing else.

        Raises:
            JobError: it says `embedding:` before its name.
        """
        for name, foreign_width in self.foreign.items():
            if _names_pattern(name, EMBEDDING_MARK).search(text):
                raise JobError(
                    "prompt",
                    "prompt.foreign_embedding",
                    name=name,
                    other=foreign_width,
                    width=width,
                )


class EmbeddingGuard:
    """An encoder that refuses embeddings that can only be of another family."""

    def __init__(self, encoder: PromptEncoder, embeddings: CheckpointEmbeddings) -> None:
        self._encoder, self._embeddings = encoder, embeddings

    def encode_pooled(self, text: str) -> Conditioning:
        """Encode a prompt of any length.

        Raises:
            JobError: it names an embedding of another family.
        """
        self._embeddings.check_prompt(text, self._encoder.encode_empty().shape[-1])
        return self._encoder.encode_pooled(text)

    def encode_empty(self) -> Tensor:
        """Encode the empty prompt to [chunk + 2, width] float32."""
        return self._encoder.encode_empty()


def _names_pattern(name: str, mark: str = "") -> re.Pattern[str]:
    """Match a name as a whole word in any case."""
    return re.compile(rf"(?<!\w){mark}{re.escape(name)}(?!\w)", re.IGNORECASE)


def load_embeddings(files: Mapping[str, Path], widths: Sequence[int]) -> CheckpointEmbeddings:
    """Read the embeddings that fit text encoders of these widths; broken files are left out."""
    fitting: tuple[dict[str, Tensor], ...] = tuple({} for _ in widths)
    foreign: dict[str, int] = {}

    def inspect(name: str, path: Path) -> tuple[str, list[Tensor]]:
        return name, read_embedding(path)

    for name, vectors in list_usable("embeddings", files.items(), inspect):
        if [part.shape[1] for part in vectors] == list(widths):
            for fits, part in zip(fitting, vectors, strict=True):
                fits[name] = part
        else:
            foreign[name] = sum(part.shape[1] for part in vectors)
    return CheckpointEmbeddings(fitting, foreign)


def count_vectors(files: Mapping[str, Path], width: int) -> dict[str, int]:
    """Tell how many tokens each embedding takes, by the files' headers alone.

    Those that do not fit text encoders of this width, all together, are left out: they stay words.
    """
    counts: dict[str, int] = {}
    for name, path in files.items():
        try:
            header = read_header(path)
        except ModelError:
            continue
        if embedding_width(header) == width:
            entries = header.entries
            shape = entries.get("emb_params", next(iter(entries.values()))).shape
            counts[name] = shape[0] if len(shape) > 1 else 1
    return counts


def read_embedding(path: Path) -> list[Tensor]:
    """Read a file's vectors, [vectors, width] float32 for each text encoder.

    Raises:
        ModelError: it is no embedding or cannot be read.
    """
    header = read_header(path)
    file_type = identify_header(header)
    if file_type.kind != "embedding":
        raise ModelError("weights.no_embedding", file=path.name, title=file_type.title)
    names = tuple(header.entries)
    if set(names) == set(SDXL_TENSOR_NAMES):
        names = SDXL_TENSOR_NAMES
    elif "emb_params" in names:
        names = ("emb_params",)
    shapes = [header.entries[name].shape for name in names]
    if not all(len(shape) in (1, 2) and 0 < math.prod(shape) <= MAX_NUMBERS for shape in shapes):
        raise ModelError("weights.embedding_shape", file=path.name, shape=shapes)
    with open_tensors(path) as reader:
        tensors = [part for name in names if (part := reader.get_tensor(name)) is not None]
    return [(part[None] if part.ndim == 1 else part).float() for part in tensors]
