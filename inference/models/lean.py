"""The blocks that a network calls most, without what they never use.

Diffusers' attention looks up its own signature in every call, and both it and the residual block
divide by a scale that is 1 in every family Easel runs, a pass over the whole map each time. With
the starter's small maps that is up to a tenth of a call. The numbers stay the same to the last bit.
"""

from __future__ import annotations

from typing import Any

import torch
from diffusers.models.attention_processor import Attention, AttnProcessor2_0
from diffusers.models.resnet import ResnetBlock2D
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention, silu

#: What must be unset in an attention for it to be the plain one.
UNSET = ("spatial_norm", "group_norm", "norm_q", "norm_k", "norm_cross", "residual_connection")


class LeanAttention(Attention):  # type: ignore[misc]  # the library is not typed
    """Attends from [B, N, C] to itself, or to [B, M, D]; with a mask as its library does."""

    def forward(
        self,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
        **more: Any,
    ) -> Any:
        """Attend."""
        if attention_mask is not None or more or hidden_states.dim() != 3:
            return super().forward(hidden_states, encoder_hidden_states, attention_mask, **more)
        source = hidden_states if encoder_hidden_states is None else encoder_hidden_states
        query = self._heads(self.to_q(hidden_states))
        key, value = self._heads(self.to_k(source)), self._heads(self.to_v(source))
        found = scaled_dot_product_attention(query, key, value)
        return self.to_out[0](found.transpose(1, 2).flatten(2))

    def _heads(self, values: Tensor) -> Tensor:
        """Split [B, N, C] into [B, heads, N, C / heads]."""
        return values.view(*values.shape[:2], self.heads, -1).transpose(1, 2)


class LeanResnet(ResnetBlock2D):  # type: ignore[misc]  # the library is not typed
    """Adds to [B, C, h, w] what two convolutions make of it; [B, T] tells them the time."""

    def forward(self, input_tensor: Tensor, temb: Tensor | None, *_: Any, **__: Any) -> Tensor:
        """Run the block; every map but the given one is its own to overwrite."""
        hidden = self.conv1(silu(self.norm1(input_tensor), inplace=True))
        if temb is not None and self.time_emb_proj is not None:
            hidden = hidden.add_(self.time_emb_proj(silu(temb))[:, :, None, None])
        hidden = self.conv2(silu(self.norm2(hidden), inplace=True))
        if self.conv_shortcut is not None:
            input_tensor = self.conv_shortcut(input_tensor)
        output: Tensor = hidden.add_(input_tensor)
        return output


def make_lean(*networks: Any) -> None:
    """Let the plain blocks of frozen networks work so, in place; their weights stay."""
    for network in networks:
        for part in network.modules():
            if type(part) is Attention and _is_plain_attention(part):
                part.__class__ = LeanAttention
            elif type(part) is ResnetBlock2D and _is_plain_block(part):
                part.__class__ = LeanResnet


def as_its_library_has_it(network: Any) -> Any:
    """Make a network of the same weights without what Easel changes in it, in evaluation mode."""
    with torch.device("meta"):
        plain = type(network).from_config(network.config)
    plain.load_state_dict(network.state_dict(), assign=True)
    return plain.requires_grad_(False).eval()


def _is_plain_attention(part: Any) -> bool:
    return (
        type(part.processor) is AttnProcessor2_0
        and part.rescale_output_factor == 1
        and not any(getattr(part, name) for name in UNSET)
    )


def _is_plain_block(part: Any) -> bool:
    return (
        part.output_scale_factor == 1
        and part.time_embedding_norm == "default"
        and not part.skip_time_act
        and isinstance(part.nonlinearity, nn.SiLU)
        and part.upsample is None
        and part.downsample is None
    )
