"""Blocks of diffusers' UNet that do the same with fewer launches of kernels.

Diffusers' own divide by factors that are 1, apply SiLU to the same time embedding in every block,
copy what lies right already, and project queries, keys and values one after another.
"""

from __future__ import annotations

from typing import Any

import torch
from diffusers.models.attention_processor import Attention, AttnProcessor2_0
from diffusers.models.resnet import ResnetBlock2D
from diffusers.models.transformers.transformer_2d import Transformer2DModel
from torch import Tensor, nn
from torch.nn import functional


def simplify_unet(unet: Any) -> None:
    """Give a loaded UNet2DConditionModel these blocks in place of diffusers', weights as they are.

    A UNet that has blocks of other kinds keeps all of its own.
    """
    resnets = [module for module in unet.modules() if isinstance(module, ResnetBlock2D)]
    if unet.time_embed_act is not None or not all(map(_is_plain, resnets)):
        return
    unet.time_embed_act = nn.SiLU()
    for resnet in resnets:
        resnet.__class__ = TimedResnetBlock
    for module in unet.modules():
        if isinstance(module, Transformer2DModel) and module.is_input_continuous:
            module.__class__ = ImageTransformer
        if isinstance(module, Attention) and type(module.processor) is AttnProcessor2_0:
            module.set_processor(JointAttention())


def join_projections(unet: Any) -> None:
    """Lay the weights of each attention's projections behind each other, to be one product.

    They stay parameters of their own, so that LoRAs find them. It takes the memory of one layer's
    for a moment.
    """
    for module in unet.modules():
        if isinstance(module, Attention) and isinstance(module.processor, JointAttention):
            _join_weights(list_joint_layers(module))


def list_joint_layers(attention: Attention) -> list[nn.Linear]:
    """List the layers of an attention that project the same tokens."""
    layers = [attention.to_k, attention.to_v]
    return layers if attention.is_cross_attention else [attention.to_q, *layers]


class TimedResnetBlock(ResnetBlock2D):  # type: ignore[misc]
    """A residual block for time embeddings that SiLU was applied to."""

    def forward(self, input_tensor: Tensor, temb: Tensor, *_: Any, **__: Any) -> Tensor:
        """Give [B, out, h, w] for [B, in, h, w] and time embeddings [B, width]."""
        features = self.conv1(functional.silu(self.norm1(input_tensor)))
        features = features + self.time_emb_proj(temb)[:, :, None, None]
        features = self.conv2(functional.silu(self.norm2(features)))
        shortcut = input_tensor if self.conv_shortcut is None else self.conv_shortcut(input_tensor)
        output: Tensor = shortcut + features
        return output


class ImageTransformer(Transformer2DModel):  # type: ignore[misc]
    """Transformer blocks over the cells of an image, which stays in its memory format."""

    def forward(
        self,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        cross_attention_kwargs: dict[str, Any] | None = None,
        return_dict: bool = False,
        **others: Any,
    ) -> tuple[Tensor]:
        """Give [B, C, h, w] for the like and texts [B, tokens, width], in a tuple of one.

        Raises:
            TypeError: it is given masks or classes, which Stable Diffusion's have none of.
        """
        if any(value is not None for name, value in others.items() if name != "timestep"):
            raise TypeError(f"unexpected inputs: {sorted(others)}")
        batch, _, height, width = hidden_states.shape
        tokens = self.norm(hidden_states)
        if not self.use_linear_projection:
            tokens = self.proj_in(tokens)
        tokens = tokens.permute(0, 2, 3, 1).flatten(1, 2)
        if self.use_linear_projection:
            tokens = self.proj_in(tokens)
        for block in self.transformer_blocks:
            tokens = block(
                tokens,
                encoder_hidden_states=encoder_hidden_states,
                cross_attention_kwargs=cross_attention_kwargs,
            )
        if self.use_linear_projection:
            tokens = self.proj_out(tokens)
        image = tokens.reshape(batch, height, width, -1).permute(0, 3, 1, 2)
        if not self.use_linear_projection:
            image = self.proj_out(image)
        return (image + hidden_states,)


class JointAttention:
    """Attention whose projections of the same tokens are one product where their weights allow."""

    def __call__(
        self,
        attn: Any,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
        **_: Any,
    ) -> Tensor:
        """Give [B, tokens, width] for the like and, across, texts [B, tokens, width]."""
        if encoder_hidden_states is None:
            query, key, value = _project(hidden_states, [attn.to_q, attn.to_k, attn.to_v])
        else:
            query = attn.to_q(hidden_states)
            key, value = _project(encoder_hidden_states, [attn.to_k, attn.to_v])
        query, key, value = (
            values.reshape(*values.shape[:2], attn.heads, -1).transpose(1, 2)
            for values in (query, key, value)
        )
        output = functional.scaled_dot_product_attention(query, key, value, attention_mask)
        output_tokens: Tensor = attn.to_out[0](output.transpose(1, 2).flatten(2))
        return output_tokens


def _is_plain(resnet: ResnetBlock2D) -> bool:
    """Whether a block is as in Stable Diffusion's networks."""
    return (
        resnet.output_scale_factor == 1
        and resnet.time_embedding_norm == "default"
        and resnet.time_emb_proj is not None
        and not (resnet.skip_time_act or resnet.up or resnet.down)
        and isinstance(resnet.nonlinearity, nn.SiLU)
    )


def _join_weights(layers: list[nn.Linear]) -> None:
    joint_weight = torch.cat([layer.weight.detach() for layer in layers])
    sizes = [len(layer.weight) for layer in layers]
    for layer, weight in zip(layers, torch.split(joint_weight, sizes), strict=True):
        layer.weight = nn.Parameter(weight, requires_grad=False)


def _project(tokens: Tensor, layers: list[nn.Linear]) -> tuple[Tensor, ...]:
    if torch.compiler.is_compiling() or not _are_joined(layers):
        return tuple(layer(tokens) for layer in layers)
    first = layers[0].weight
    sizes = [len(layer.weight) for layer in layers]
    joint_weight = first.as_strided((sum(sizes), first.shape[1]), first.stride())
    return tuple(torch.split(functional.linear(tokens, joint_weight), sizes, dim=-1))


def _are_joined(layers: list[nn.Linear]) -> bool:
    """Whether their weights lie behind each other, and nothing runs beside the layers."""
    end = layers[0].weight.data_ptr()
    for layer in layers:
        weight = layer.weight
        if weight.data_ptr() != end or layer.bias is not None or layer._forward_hooks:
            return False
        end += weight.nbytes
    return True
