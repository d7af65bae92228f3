"""An autoencoder run layer by layer in stripes: the untiled picture with less memory, no seams.

Tiles that go through the whole network each normalise by themselves, so their colours differ and
blending only hides it (29 dB against the untiled picture with diffusers' tiles of 128 pixels on the
starter model). Here every layer is done for the whole picture before the next begins, a few rows at
a time, and its group normalisation takes the statistics of all rows. The maps between layers may be
parked in the machine's memory. What works at a latent's own size runs whole: it is small.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

#: Pixels of a layer's input that are on the device together.
STRIPE_PIXELS = 512 * 256

Layer = Callable[[Tensor], Tensor]


@dataclass(frozen=True, eq=False)
class Map:
    """What lies between two layers: [B, C, H, W], and each channel's sum and sum of squares."""

    values: Tensor
    #: [B, C] float64.
    total: Tensor
    squares: Tensor


@dataclass(frozen=True)
class Stripes:
    """How to cut: where layers run, where maps lie meanwhile, and how much runs together."""

    device: torch.device
    park: torch.device
    pixels: int = STRIPE_PIXELS

    def run(
        self,
        layer: Layer,
        before: Map,
        *,
        norm: Any = None,
        halo: tuple[int, int] = (1, 1),
        cut: int = 1,
        add: Callable[[slice], Tensor] | None = None,
    ) -> Map:
        """Run a layer over a map, after a group normalisation where one is given.

        `halo` are the rows that a layer looks at above and below; for each of them `cut` rows too
        many come out. `add` gives what is added to the rows of a stripe.
        """
        height = before.values.shape[-2]
        parts: list[Tensor] = []
        total = squares = torch.zeros((), dtype=torch.float64)
        affine = _affine(norm, before, self.device) if norm is not None else None
        for rows in self._cut(*before.values.shape[-2:]):
            top, bottom = min(halo[0], rows.start), min(halo[1], height - rows.stop)
            values = before.values[..., rows.start - top : rows.stop + bottom, :].to(self.device)
            if affine is not None:
                values = torch.addcmul(affine[1], values.float(), affine[0]).to(values)
            out = layer(values)
            out = out[..., top * cut : out.shape[-2] - bottom * cut, :]
            if add is not None:
                out = out + add(rows)
            exact = out.float()
            total = total + exact.sum((-2, -1)).double().cpu()
            squares = squares + exact.square().sum((-2, -1)).double().cpu()
            parts.append(out.to(self.park))
        return Map(torch.cat(parts, -2), total, squares)

    def _cut(self, height: int, width: int) -> Iterator[slice]:
        """Cut rows into even numbers of them, as halving layers need."""
        step = max(2, self.pixels // width // 2 * 2)
        for start in range(0, height, step):
            yield slice(start, min(start + step, height))

    def resnet(self, block: Any, before: Map) -> Map:
        """Run a residual block: two normalised convolutions beside what they are added to."""

        def convolve(convolution: Layer) -> Layer:
            return lambda values: convolution(block.nonlinearity(values))

        def beside(rows: slice) -> Tensor:
            values = before.values[..., rows, :].to(self.device)
            return values if block.conv_shortcut is None else block.conv_shortcut(values)

        inner = self.run(convolve(block.conv1), before, norm=block.norm1)
        after = self.run(convolve(block.conv2), inner, norm=block.norm2, add=beside)
        scale = float(block.output_scale_factor)
        return after if scale == 1 else _divided(after, scale)

    def whole(self, values: Tensor) -> Map:
        """Take a map as it is, unknown sums and all, for a layer without normalisation."""
        return Map(values.to(self.park), *_sums(values))


def can_stripe(vae: Any) -> bool:
    """Tell whether an autoencoder is built of the blocks that are run here."""
    blocks = (*vae.encoder.down_blocks, *vae.decoder.up_blocks)
    return not any(getattr(block, "attentions", None) for block in blocks)


def decode(vae: Any, latents: Tensor, stripes: Stripes) -> Tensor:
    """Decode latents [B, C, h, w], already in the autoencoder's scale, to [B, 3, 8h, 8w]."""
    decoder = vae.decoder
    values = latents if vae.post_quant_conv is None else vae.post_quant_conv(latents)
    between = stripes.whole(decoder.mid_block(decoder.conv_in(values)))
    for block in decoder.up_blocks:
        for resnet in block.resnets:
            between = stripes.resnet(resnet, between)
        for upsampler in block.upsamplers or ():
            between = stripes.run(upsampler, between, cut=2)
    out = stripes.run(
        lambda values: decoder.conv_out(decoder.conv_act(values)),
        between,
        norm=decoder.conv_norm_out,
    )
    return out.values.to(stripes.device)


def encode(vae: Any, pixels: Tensor, stripes: Stripes) -> Tensor:
    """Encode pictures [B, 3, H, W] in −1..1 to the posterior's mean, [B, C, H/8, W/8]."""
    encoder = vae.encoder
    between = stripes.run(encoder.conv_in, stripes.whole(pixels))
    for block in encoder.down_blocks:
        for resnet in block.resnets:
            between = stripes.resnet(resnet, between)
        for downsampler in block.downsamplers or ():
            # It pads below by itself, so only inner stripes need the row that follows them.
            between = stripes.run(downsampler, between, halo=(0, 1), cut=0)
    values = encoder.mid_block(between.values.to(stripes.device))
    values = encoder.conv_out(encoder.conv_act(encoder.conv_norm_out(values)))
    moments: Tensor = values if vae.quant_conv is None else vae.quant_conv(values)
    return moments.chunk(2, 1)[0]


def _affine(norm: Any, before: Map, device: torch.device) -> tuple[Tensor, Tensor]:
    """Give what a group normalisation multiplies by and adds, [B, C, 1, 1] float32 each."""
    batch, channels, height, width = before.values.shape
    groups = norm.num_groups
    count = channels // groups * height * width
    mean = before.total.view(batch, groups, -1).sum(-1) / count
    square = before.squares.view(batch, groups, -1).sum(-1) / count
    deviation = (square - mean.square()).clamp(min=0).add(norm.eps).sqrt()
    each = channels // groups
    scale = norm.weight.double().cpu() / deviation.repeat_interleave(each, 1)
    shift = norm.bias.double().cpu() - mean.repeat_interleave(each, 1) * scale
    return (
        scale.float()[..., None, None].to(device),
        shift.float()[..., None, None].to(device),
    )


def _sums(values: Tensor) -> tuple[Tensor, Tensor]:
    exact = values.float()
    return exact.sum((-2, -1)).double().cpu(), exact.square().sum((-2, -1)).double().cpu()


def _divided(after: Map, scale: float) -> Map:
    return replace(
        after,
        values=after.values / scale,
        total=after.total / scale,
        squares=after.squares / scale**2,
    )
