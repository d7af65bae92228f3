"""Encoding: a prompt becomes the vectors that a diffusion network attends to."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Literal

import torch
from torch import Tensor, nn

from inference.api.errors import JobError
from inference.api.jobs.limits import check_chunk_count
from inference.api.prompts.attention import ChunkBreak, WeightedText, parse_attention
from inference.prompts.chunks import TokenChunk, Tokenizer, chunk_pieces
from inference.prompts.conditioning import Conditioning
from inference.prompts.tokenizer import load_tokenizer

__all__ = ["Emphasis", "PairEncoder", "TextEncoder", "load_tokenizer", "sdxl_encoder"]

Emphasis = Literal["Original", "No norm", "Ignore", "None"]

MAX_TOKEN_WEIGHT = 1000.0  # beyond it single precision would run out before any picture gains


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
            raise JobError("clip_skip", "prompt.clip_skip", clip_skip=clip_skip, layers=layers)
        self.tokenizer, self.model = tokenizer, model
        self.clip_skip, self.emphasis, self.final_norm = clip_skip, emphasis, final_norm
        self.chunk = tokenizer.chunk_size if chunk is None else chunk
        self.embeddings = dict(embeddings or {})
        for name, vectors in self.embeddings.items():
            _check_width(name, vectors, self._transformer.config.hidden_size)

    def chunk_prompt(self, text: str) -> tuple[TokenChunk, ...]:
        """Lay a prompt out in rows, weighted as the emphasis mode says."""
        literal = self.emphasis == "None"
        pieces: Sequence[WeightedText | ChunkBreak] = (
            [WeightedText(text)] if literal else parse_attention(text)
        )
        vectors = {name: len(tensor) for name, tensor in self.embeddings.items()}
        return chunk_pieces(pieces, self.tokenizer, size=self.chunk, embeddings=vectors)

    def encode_prompt(self, text: str) -> Tensor:
        """Encode a prompt to [tokens, width] float32, `chunk + 2` tokens for each chunk of it."""
        return self.encode_pooled(text).crossattn

    def encode_empty(self) -> Tensor:
        """Encode the empty prompt to [chunk + 2, width] float32, which pads shorter prompts."""
        return self.encode_prompt("")

    @torch.inference_mode()
    def encode_pooled(self, text: str) -> Conditioning:
        """Encode a prompt with the pooled vector of its first chunk.

        The pooled vector is the model's projected one, [projection] float32, and None for a model
        without a projection.

        Raises:
            JobError: the prompt takes too many chunks.
        """
        chunks = self.chunk_prompt(text)
        check_chunk_count(len(chunks))
        device = next(self.model.parameters()).device
        tokens = torch.tensor([chunk.tokens for chunk in chunks], device=device)
        with self._with_embeddings(chunks):
            output = self.model(input_ids=tokens, output_hidden_states=True)
        hidden_states = self._select_layer(output).float()
        if self.emphasis in ("Original", "No norm"):
            weights = torch.tensor([chunk.weights for chunk in chunks], device=device)
            hidden_states = apply_emphasis(
                hidden_states, weights, keep_mean=self.emphasis == "Original"
            )
        pooled_embedding = getattr(output, "text_embeds", None)
        return Conditioning(
            hidden_states.flatten(0, 1).contiguous(),
            None if pooled_embedding is None else pooled_embedding[0].float(),
        )

    def _select_layer(self, output: Any) -> Tensor:
        hidden_states: Tensor = output.last_hidden_state
        if self.clip_skip == 1 and self.final_norm:
            return hidden_states
        hidden_states = output.hidden_states[-self.clip_skip]
        if self.final_norm:
            hidden_states = self._transformer.final_layer_norm(hidden_states)
        return hidden_states

    @contextmanager
    def _with_embeddings(self, chunks: Sequence[TokenChunk]) -> Iterator[None]:
        """Let the token embedding give the learned vectors where chunks place them."""
        if not any(chunk.placements for chunk in chunks):
            yield
            return
        table = self._transformer.embeddings.token_embedding
        handle = table.register_forward_hook(self._embedding_hook(chunks))
        try:
            yield
        finally:
            handle.remove()

    def _embedding_hook(
        self, chunks: Sequence[TokenChunk]
    ) -> Callable[[nn.Module, Any, Tensor], Tensor]:
        def insert_vectors(_module: nn.Module, _inputs: Any, vectors: Tensor) -> Tensor:
            for row, chunk in enumerate(chunks):
                for placement in chunk.placements:
                    span = slice(placement.offset, placement.offset + placement.vectors)
                    vectors[row, span] = self.embeddings[placement.name].to(vectors)
            return vectors

        return insert_vectors


def _check_width(name: str, vectors: Tensor, width: int) -> None:
    if vectors.ndim != 2 or vectors.shape[1] != width:
        shape = tuple(vectors.shape)
        raise JobError("prompt", "prompt.embedding_shape", name=name, shape=shape, width=width)


def apply_emphasis(hidden_states: Tensor, weights: Tensor, *, keep_mean: bool) -> Tensor:
    """Multiply each token's vector by its weight, then rescale each row to the mean it had.

    `hidden` is [rows, tokens, width] float32, `weights` [rows, tokens]; rows of equal weight 1
    come back bit for bit.
    """
    weights = weights.clamp(-MAX_TOKEN_WEIGHT, MAX_TOKEN_WEIGHT).unsqueeze(-1)
    weighted_states = hidden_states * weights
    if not keep_mean:
        return weighted_states
    original_mean, weighted_mean = (
        hidden_states.mean((1, 2), keepdim=True),
        weighted_states.mean((1, 2), keepdim=True),
    )
    needs_rescale = (weights != 1).any(1, keepdim=True) & (weighted_mean != 0)
    return torch.where(
        needs_rescale, weighted_states * (original_mean / weighted_mean), weighted_states
    )


class PairEncoder:
    """SDXL's two text encoders side by side: widths joined, pooled vector from the second."""

    def __init__(self, first: TextEncoder, second: TextEncoder) -> None:
        self.first, self.second = first, second
        self.tokenizer = first.tokenizer

    def encode_prompt(self, text: str) -> Tensor:
        """Encode a prompt to [tokens, width of both] float32."""
        return self.encode_pooled(text).crossattn

    def encode_empty(self) -> Tensor:
        """Encode the empty prompt to [chunk + 2, width of both] float32."""
        return self.encode_prompt("")

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
