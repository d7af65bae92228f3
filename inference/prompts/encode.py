"""Encoding: a prompt becomes the vectors that a diffusion network attends to."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Literal

import torch
from torch import Tensor, nn

from inference.prompts.attention import Break, Piece, parse_attention
from inference.prompts.chunks import Chunk, Tokenizer, chunk_pieces
from inference.prompts.conditioning import Conditioning
from inference.prompts.tokenizer import load_tokenizer

__all__ = ["Emphasis", "PairEncoder", "TextEncoder", "load_tokenizer", "sdxl_encoder"]

Emphasis = Literal["Original", "No norm", "Ignore", "None"]

MAX_WEIGHT = 1000.0  # beyond it single precision would run out before any picture gains


class TextEncoder:
    """One CLIP text model with its tokenizer, and how its words are weighted.

    `model` is a CLIPTextModel or CLIPTextModelWithProjection, on any device, in any float type;
    what it gives is float32 on that device. `clip_skip` k reads the k-th layer from the end, with
    the final layer norm unless `final_norm` is off (SDXL was trained without it).
    `embeddings` maps names to float tensors [vectors, width].
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        model: nn.Module,
        *,
        clip_skip: int = 1,
        emphasis: Emphasis = "Original",
        chunk: int | None = None,
        final_norm: bool = True,
        embeddings: Mapping[str, Tensor] | None = None,
    ) -> None:
        # Projection models keep the transformer one attribute deeper than plain ones.
        self._transformer: Any = getattr(model, "text_model", model)
        layers: int = self._transformer.config.num_hidden_layers
        if not 1 <= clip_skip <= layers:
            message = f"Clip skip is {clip_skip}; this text encoder takes 1 to {layers}."
            raise ValueError(message)
        self.tokenizer, self.model = tokenizer, model
        self.clip_skip, self.emphasis, self.final_norm = clip_skip, emphasis, final_norm
        self.chunk = tokenizer.chunk if chunk is None else chunk
        self.embeddings = dict(embeddings or {})
        for name, vectors in self.embeddings.items():
            _check_width(name, vectors, self._transformer.config.hidden_size)

    def chunks(self, text: str) -> tuple[Chunk, ...]:
        """Lay a prompt out in rows, weighted as the emphasis mode says."""
        literal = self.emphasis == "None"
        pieces: Sequence[Piece | Break] = [Piece(text)] if literal else parse_attention(text)
        vectors = {name: len(tensor) for name, tensor in self.embeddings.items()}
        return chunk_pieces(pieces, self.tokenizer, size=self.chunk, embeddings=vectors)

    def encode(self, text: str) -> Tensor:
        """Encode a prompt to [tokens, width] float32, `chunk + 2` tokens for each chunk of it."""
        return self.encode_pooled(text).crossattn

    def empty(self) -> Tensor:
        """Encode the empty prompt to [chunk + 2, width] float32, which pads shorter prompts."""
        return self.encode("")

    @torch.inference_mode()
    def encode_pooled(self, text: str) -> Conditioning:
        """Encode a prompt with the pooled vector of its first chunk.

        The pooled vector is the model's projected one, [projection] float32, and None for a model
        without a projection.
        """
        chunks = self.chunks(text)
        device = next(self.model.parameters()).device
        tokens = torch.tensor([chunk.tokens for chunk in chunks], device=device)
        with self._spliced(chunks):
            output = self.model(input_ids=tokens, output_hidden_states=True)
        hidden = self._layer(output).float()
        if self.emphasis in ("Original", "No norm"):
            weights = torch.tensor([chunk.weights for chunk in chunks], device=device)
            hidden = emphasise(hidden, weights, keep_mean=self.emphasis == "Original")
        pooled = getattr(output, "text_embeds", None)
        return Conditioning(
            hidden.flatten(0, 1).contiguous(), None if pooled is None else pooled[0].float()
        )

    def _layer(self, output: Any) -> Tensor:
        hidden: Tensor = output.last_hidden_state
        if self.clip_skip == 1 and self.final_norm:
            return hidden
        hidden = output.hidden_states[-self.clip_skip]
        if self.final_norm:
            hidden = self._transformer.final_layer_norm(hidden)
        return hidden

    @contextmanager
    def _spliced(self, chunks: Sequence[Chunk]) -> Iterator[None]:
        """Let the token embedding give the learned vectors where chunks place them."""
        if not any(chunk.placed for chunk in chunks):
            yield
            return
        table = self._transformer.embeddings.token_embedding
        handle = table.register_forward_hook(self._splice(chunks))
        try:
            yield
        finally:
            handle.remove()

    def _splice(self, chunks: Sequence[Chunk]) -> Callable[[nn.Module, Any, Tensor], Tensor]:
        def hook(_module: nn.Module, _inputs: Any, vectors: Tensor) -> Tensor:
            for row, chunk in enumerate(chunks):
                for placed in chunk.placed:
                    span = slice(placed.offset, placed.offset + placed.vectors)
                    vectors[row, span] = self.embeddings[placed.name].to(vectors)
            return vectors

        return hook


def _check_width(name: str, vectors: Tensor, width: int) -> None:
    if vectors.ndim != 2 or vectors.shape[1] != width:
        message = (
            f"The embedding {name} has shape {tuple(vectors.shape)}, but this model's words are "
            f"{width} wide: the embedding was made for another model family."
        )
        raise ValueError(message)


def emphasise(hidden: Tensor, weights: Tensor, *, keep_mean: bool) -> Tensor:
    """Multiply each token's vector by its weight, then rescale each row to the mean it had.

    `hidden` is [rows, tokens, width] float32, `weights` [rows, tokens]; rows of equal weight 1
    come back bit for bit.
    """
    weights = weights.clamp(-MAX_WEIGHT, MAX_WEIGHT).unsqueeze(-1)
    weighted = hidden * weights
    if not keep_mean:
        return weighted
    before, after = hidden.mean((1, 2), keepdim=True), weighted.mean((1, 2), keepdim=True)
    touched = (weights != 1).any(1, keepdim=True) & (after != 0)
    return torch.where(touched, weighted * (before / after), weighted)


class PairEncoder:
    """SDXL's two text encoders side by side: widths joined, pooled vector from the second."""

    def __init__(self, first: TextEncoder, second: TextEncoder) -> None:
        self.first, self.second = first, second
        self.tokenizer = first.tokenizer

    def encode(self, text: str) -> Tensor:
        """Encode a prompt to [tokens, width of both] float32."""
        return self.encode_pooled(text).crossattn

    def empty(self) -> Tensor:
        """Encode the empty prompt to [chunk + 2, width of both] float32."""
        return self.encode("")

    def encode_pooled(self, text: str) -> Conditioning:
        """Encode a prompt with the second encoder's pooled vector, [projection] float32."""
        first, second = self.first.encode_pooled(text), self.second.encode_pooled(text)
        return Conditioning(torch.cat([first.crossattn, second.crossattn], -1), second.pooled)


def sdxl_encoder(
    tokenizers: tuple[Tokenizer, Tokenizer],
    models: tuple[nn.Module, nn.Module],
    *,
    clip_skip: int = 1,
    emphasis: Emphasis = "Original",
    embeddings: tuple[Mapping[str, Tensor], Mapping[str, Tensor]] = ({}, {}),
) -> PairEncoder:
    """Build SDXL's pair: the layer before the last, without final norm; clip skip goes deeper."""
    first, second = (
        TextEncoder(
            tokenizer,
            model,
            clip_skip=clip_skip + 1,
            emphasis=emphasis,
            final_norm=False,
            embeddings=vectors,
        )
        for tokenizer, model, vectors in zip(tokenizers, models, embeddings, strict=True)
    )
    return PairEncoder(first, second)
