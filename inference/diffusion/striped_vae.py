"""An autoencoder run layer by layer in stripes: the untiled picture with less memory, no seams.

Tiles that go through the whole network each normalise by themselves, so their colours differ and
blending only hides it (29 dB against the untiled picture with diffusers' tiles of 128 pixels on the
starter model). Here every layer is done for the whole picture before the next begins, a few rows at
a time, and its group normalisation takes the statistics of all rows. The maps between layers may be
parked in the machine's memory. What works at a latent's own size runs whole: it is small.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

#: Pixels of a layer's input that are on the device together.
STRIPE_PIXELS = 512 * 256

Layer = Callable[[Tensor], Tensor]


@dataclass(frozen=True, eq=False)
class FeatureMap:
    """What lies between two layers: [B, C, H, W], and each channel's sum and sum of squares."""

    values: Tensor
    #: [B, C] float64.
    total: Tensor
    squares: Tensor


@dataclass(frozen=True)
class StripedVae:
    """How to cut: where layers run, where maps lie meanwhile, and how much runs together."""

    device: torch.device
    offload_device: torch.device
    pixels: int = STRIPE_PIXELS

    def run_layer(
        self,
        layer: Layer,
        input_map: FeatureMap,
        *,
        norm: Any = None,
        halo: tuple[int, int] = (1, 1),
        rows_per_halo: int = 1,
        add: Callable[[slice], Tensor] | None = None,
    ) -> FeatureMap:
        """Run a layer over a map, after a group normalisation where one is given.

        `halo` are the rows that a layer looks at above and below; for each of them `cut` rows too
        many come out. `add` gives what is added to the rows of a stripe.
        """
        height, width = input_map.values.shape[-2:]
        parts: list[Tensor] = []
        total = squares = torch.zeros((), dtype=torch.float64)
        affine = _norm_affine(norm, input_map, self.device) if norm is not None else None
        step = max(2, self.pixels // width // 2 * 2)  # even, as halving layers need
        for start in range(0, height, step):
            rows = slice(start, min(start + step, height))
            top, bottom = min(halo[0], rows.start), min(halo[1], height - rows.stop)
            values = input_map.values[..., rows.start - top : rows.stop + bottom, :].to(self.device)
            if affine is not None:
                values = torch.addcmul(affine[1], values.float(), affine[0]).to(values)
            out = layer(values)
            out = out[..., top * rows_per_halo : out.shape[-2] - bottom * rows_per_halo, :]
            if add is not None:
                out = out + add(rows)
            stripe_total, stripe_squares = _channel_sums(out)
            total, squares = total + stripe_total, squares + stripe_squares
            parts.append(out.to(self.offload_device))
        return FeatureMap(torch.cat(parts, -2), total, squares)

    def run_resnet(self, block: Any, input_map: FeatureMap) -> FeatureMap:
        """Run a residual block: two normalised convolutions beside what they are added to."""

        def activate_first(convolution: Layer) -> Layer:
            return lambda values: convolution(block.nonlinearity(values))

        def shortcut_rows(rows: slice) -> Tensor:
            values = input_map.values[..., rows, :].to(self.device)
            return values if block.conv_shortcut is None else block.conv_shortcut(values)

        inner = self.run_layer(activate_first(block.conv1), input_map, norm=block.norm1)
        out = self.run_layer(
            activate_first(block.conv2), inner, norm=block.norm2, add=shortcut_rows
        )
        scale = float(block.output_scale_factor)
        if scale == 1:
            return out
        return FeatureMap(out.values / scale, out.total / scale, out.squares / scale**2)

    def whole_map(self, values: Tensor) -> FeatureMap:
        """Take a map as it is, unknown sums and all, for a layer without normalisation."""
        return FeatureMap(values.to(self.offload_device), *_channel_sums(values))


def can_stripe(vae: Any) -> bool:
    """Tell whether an autoencoder is built of the blocks that are run here."""
    blocks = (*vae.encoder.down_blocks, *vae.decoder.up_blocks)
    return not any(getattr(block, "attentions", None) for block in blocks)


def decode_striped(vae: Any, latents: Tensor, stripes: StripedVae) -> Tensor:
    """Decode latents [B, C, h, w], already in the autoencoder's scale, to [B, 3, 8h, 8w]."""
    decoder = vae.decoder
    values = latents if vae.post_quant_conv is None else vae.post_quant_conv(latents)
    feature_map = stripes.whole_map(decoder.mid_block(decoder.conv_in(values)))
    for block in decoder.up_blocks:
        for resnet in block.resnets:
            feature_map = stripes.run_resnet(resnet, feature_map)
        for upsampler in block.upsamplers or ():
            feature_map = stripes.run_layer(upsampler, feature_map, rows_per_halo=2)
    out = stripes.run_layer(
        lambda values: decoder.conv_out(decoder.conv_act(values)),
        feature_map,
        norm=decoder.conv_norm_out,
    )
    return out.values.to(stripes.device)


def encode_striped(vae: Any, pixels: Tensor, stripes: StripedVae) -> Tensor:
    """Encode pictures [B, 3, H, W] in −1..1 to the posterior's mean, [B, C, H/8, W/8]."""
    encoder = vae.encoder
    feature_map = stripes.run_layer(encoder.conv_in, stripes.whole_map(pixels))
    for block in encoder.down_blocks:
        for resnet in block.resnets:
            feature_map = stripes.run_resnet(resnet, feature_map)
        for downsampler in block.downsamplers or ():
            # It pads below by itself, so only inner stripes need the row that follows them.
            feature_map = stripes.run_layer(downsampler, feature_map, halo=(0, 1), rows_per_halo=0)
    values = encoder.mid_block(feature_map.values.to(stripes.device))
    values = encoder.conv_out(encoder.conv_act(encoder.conv_norm_out(values)))
    moments: Tensor = values if vae.quant_conv is None else vae.quant_conv(values)
    return moments.chunk(2, 1)[0]


def _norm_affine(norm: Any, feature_map: FeatureMap, device: torch.device) -> tuple[Tensor, Tensor]:
    """Give what a group normalisation multiplies by and adds, [B, C, 1, 1] float32 each."""
    batch, channels, height, width = feature_map.values.shape
    groups = norm.num_groups
    group_channels = channels // groups
    count = group_channels * height * width
    mean = feature_map.total.view(batch, groups, -1).sum(-1) / count
    square = feature_map.squares.view(batch, groups, -1).sum(-1) / count
    deviation = (square - mean.square()).clamp(min=0).add(norm.eps).sqrt()
    scale = norm.weight.cpu().double() / deviation.repeat_interleave(group_channels, 1)
    shift = norm.bias.cpu().double() - mean.repeat_interleave(group_channels, 1) * scale
    return tuple(part.float()[..., None, None].to(device) for part in (scale, shift))


def _channel_sums(values: Tensor) -> tuple[Tensor, Tensor]:
    exact = values.float()
    sums = (exact.sum((-2, -1)), exact.square().sum((-2, -1)))
    return sums[0].cpu().double(), sums[1].cpu().double()
