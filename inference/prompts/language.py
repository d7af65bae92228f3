"""Language models as text encoders: plain sentences in, hidden states of chosen layers out.

They weigh no words: brackets and BREAK are taken off, and what is left is read as it stands.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from inference.api.prompts.attention import strip_weights
from inference.prompts.conditioning import Conditioning


@dataclass(frozen=True, eq=False)
class ChatEncoder:
    """A causal language model that reads a prompt as what a user says to it.

    What it gives is float32 on the model's device, [tokens, width of all layers together].
    """

    #: A tokenizer of transformers with a chat template.
    tokenizer: Any
    model: Any
    #: Hidden states that are laid side by side, counted as transformers does.
    layers: tuple[int, ...]
    max_tokens: int
    #: Whether the template leaves room for the model's thoughts.
    has_thoughts: bool = False
    #: Whether the network sees the padding up to `max_tokens` too.
    is_padded: bool = False

    @torch.inference_mode()
    def encode_pooled(self, text: str) -> Conditioning:
        """Encode a prompt; what is beyond the most tokens is cut off."""
        message = {"role": "user", "content": strip_weights(text)}
        rendered_text = self.tokenizer.apply_chat_template(
            [message],
            tokenize=False,
            add_generation_prompt=True,
            enable_thinking=self.has_thoughts,
        )
        inputs = tokenize_text(self.tokenizer, rendered_text, self.max_tokens, self.is_padded)
        device = self.model.get_input_embeddings().weight.device
        output = self.model(
            input_ids=inputs.input_ids.to(device),
            attention_mask=inputs.attention_mask.to(device),
            output_hidden_states=True,
            use_cache=False,
        )
        states = torch.cat([output.hidden_states[layer][0] for layer in self.layers], -1)
        return Conditioning(states.float())

    def encode_empty(self) -> Tensor:
        """Encode the empty prompt to [tokens, width] float32."""
        return self.encode_pooled("").crossattn


@dataclass(frozen=True, eq=False)
class T5Encoder:
    """A T5 encoder, with CLIP's vector of the whole prompt beside it where there is a CLIP.

    The network sees all of its tokens, padding included.
    """

    tokenizer: Any
    model: Any
    max_tokens: int
    #: CLIP's tokenizer and text model.
    clip: tuple[Any, Any] | None = None

    @torch.inference_mode()
    def encode_pooled(self, text: str) -> Conditioning:
        """Encode a prompt; what is beyond the most tokens is cut off."""
        plain_text = strip_weights(text)
        inputs = tokenize_text(self.tokenizer, plain_text, self.max_tokens, is_padded=True)
        device = self.model.get_input_embeddings().weight.device
        states = self.model(inputs.input_ids.to(device))[0][0]
        return Conditioning(states.float(), self._encode_whole(plain_text))

    def encode_empty(self) -> Tensor:
        """Encode the empty prompt to [tokens, width] float32."""
        return self.encode_pooled("").crossattn

    def _encode_whole(self, text: str) -> Tensor | None:
        if self.clip is None:
            return None
        tokenizer, model = self.clip
        inputs = tokenize_text(tokenizer, text, tokenizer.model_max_length, is_padded=True)
        device = model.get_input_embeddings().weight.device
        vector: Tensor = model(inputs.input_ids.to(device)).pooler_output[0].float()
        return vector


@dataclass(frozen=True, eq=False)
class MaskedT5Encoder:
    """A T5 encoder that sees no padding, whose network is told where a text ends."""

    tokenizer: Any
    model: Any
    max_tokens: int

    @torch.inference_mode()
    def encode_pooled(self, text: str) -> Conditioning:
        """Encode a prompt; what is beyond the most tokens is cut off."""
        inputs = tokenize_text(self.tokenizer, strip_weights(text), self.max_tokens, is_padded=True)
        device = self.model.get_input_embeddings().weight.device
        mask = inputs.attention_mask
        states = self.model(inputs.input_ids.to(device), attention_mask=mask.to(device))[0][0]
        return Conditioning(states.float(), real_tokens=int(mask.sum()))

    def encode_empty(self) -> Tensor:
        """Encode the empty prompt to [tokens, width] float32."""
        return self.encode_pooled("").crossattn


@dataclass(frozen=True, eq=False)
class TripleEncoder:
    """Stable Diffusion 3's: two CLIP models side by side, then T5's tokens behind them."""

    #: CLIP's tokenizers and projecting text models.
    clips: tuple[tuple[Any, Any], ...]
    t5: T5Encoder

    @torch.inference_mode()
    def encode_pooled(self, text: str) -> Conditioning:
        """Encode a prompt; what is beyond the most tokens is cut off."""
        plain_text = strip_weights(text)
        states, vectors = [], []
        for tokenizer, model in self.clips:
            inputs = tokenize_text(tokenizer, plain_text, tokenizer.model_max_length, True)
            device = model.get_input_embeddings().weight.device
            output = model(inputs.input_ids.to(device), output_hidden_states=True)
            states.append(output.hidden_states[-2][0].float())
            vectors.append(output.text_embeds[0].float())
        sentences = self.t5.encode_pooled(text).crossattn
        words = torch.cat(states, -1)
        words = torch.nn.functional.pad(words, (0, sentences.shape[-1] - words.shape[-1]))
        return Conditioning(torch.cat([words, sentences]), torch.cat(vectors))

    def encode_empty(self) -> Tensor:
        """Encode the empty prompt to [tokens, width] float32."""
        return self.encode_pooled("").crossattn


def tokenize_text(tokenizer: Any, text: str, max_tokens: int, is_padded: bool) -> Any:
    """Turn a text into ids and mask, [1, tokens] each, padded to the most tokens or not at all."""
    return tokenizer(
        [text],
        padding="max_length" if is_padded else False,
        max_length=max_tokens,
        truncation=True,
        return_tensors="pt",
    )


def count_text_tokens(lengths: Sequence[int], granule: int) -> int:
    """Give the longest of several texts in tokens, rounded up to what networks pad to."""
    return -(-max(lengths) // granule) * granule
