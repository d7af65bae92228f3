"""Rows gathered for one network call and scattered again; the rows stay the only lasting state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from inference.diffusion.control.network import ControlInput
from inference.engine.row import DenoiseRow, RowControl
from inference.runtime.transfer import send_tensor
from inference.sampling.denoiser import (
    Prediction,
    apply_guidance,
    combine_guidance,
    from_x0,
    guide_by_image,
    keep_patch_lengths,
    rescale_guidance,
    to_x0,
)


@dataclass(frozen=True, eq=False)
class Batch:
    """Inputs of the network: every row's conditions, then every guided row's unconditional half.

    Rows of a network that edits by instructions have two of these: with their picture, then without
    any. x [N, C, h, w], text [N, tokens, width] and image_channels [N, C or C + 1, h, w] or None
    lie on the device; single numbers such as sigma [N] in the machine's memory, until they are
    sent together. All float32.
    """

    x: Tensor
    sigma: Tensor
    text: Tensor
    image_channels: Tensor | None
    #: [N, projection], for networks that look at the whole prompt's vector too.
    pooled: Tensor | None
    #: [K] the row of each conditional entry, and its prompt's weight.
    owners: Tensor
    weights: Tensor
    #: [B] guidance scale of each row.
    scale: Tensor
    #: [B] how far each row goes from no picture to its own; None where the network takes none.
    image_scale: Tensor | None
    #: [B] how far each row's spread goes back to its condition's.
    rescale: Tensor
    is_guided: bool
    #: [N] tokens of each text that are no padding, on the processor.
    text_lengths: Tensor
    #: [N] guidance scale of each entry's row, for networks that are told it, on the processor.
    guidance: Tensor
    #: [N, C, h, w] of each further picture that the network looks at.
    references: tuple[Tensor, ...] = ()
    #: What the network predicts, in terms of which spreads are compared.
    prediction: Prediction = "epsilon"
    #: What ControlNets look at, each in the entries of the rows that it holds at this step.
    controls: tuple[ControlInput, ...] = ()
    #: Whether a guided patch has the length of its condition's (Qwen-Image).
    keeps_lengths: bool = False

    @classmethod
    def gather(
        cls,
        rows: Sequence[DenoiseRow],
        device: torch.device,
        prediction: Prediction = "epsilon",
        *,
        keeps_lengths: bool = False,
    ) -> Batch:
        """Lay the rows' latents, noise levels and conditions side by side."""
        entries = [
            (number, condition, weight)
            for number, row in enumerate(rows)
            for condition, weight in row.current_conditioning().conditions
        ]
        is_guided = rows[0].is_guided
        image_scales = [row.image_guidance for row in rows if row.image_guidance is not None]
        sources = [number for number, _, _ in entries]
        conditions = [condition for _, condition, _ in entries]
        for _ in range(is_guided + bool(image_scales)):
            sources += range(len(rows))
            conditions += [row.current_conditioning().unconditional for row in rows]
        pooled_vectors = [item.pooled for item in conditions if item.pooled is not None]
        extras = [rows[number].image_channels for number in sources]
        channels = [extra for extra in extras if extra is not None]
        if image_scales:
            channels[-len(rows) :] = [torch.zeros_like(extra) for extra in channels[-len(rows) :]]
        return cls(
            x=torch.stack([rows[number].x for number in sources]).to(device),
            sigma=torch.tensor([rows[number].sigma for number in sources]),
            text=_stack_texts([item.crossattn for item in conditions]).to(device),
            image_channels=torch.stack(channels).to(device) if channels else None,
            pooled=torch.stack(pooled_vectors).to(device) if pooled_vectors else None,
            owners=torch.tensor(sources[: len(entries)]),
            weights=torch.tensor([weight for _, _, weight in entries]),
            scale=torch.tensor([row.guidance for row in rows]),
            image_scale=torch.tensor(image_scales) if image_scales else None,
            rescale=torch.tensor([row.guidance_rescale for row in rows]),
            is_guided=is_guided,
            text_lengths=torch.tensor([item.length for item in conditions]),
            guidance=torch.tensor([rows[number].told_guidance for number in sources]),
            references=tuple(
                torch.stack([rows[number].references[place] for number in sources]).to(device)
                for place in range(len(rows[0].references))
            ),
            prediction=prediction,
            controls=_gather_controls(rows, sources, device),
            keeps_lengths=keeps_lengths,
        )

    def split_entries(self, max_entries: int) -> list[Batch]:
        """Give the inputs of as few calls as possible, each of at most so many entries."""
        calls = -(-len(self.x) // max_entries)
        if calls == 1:
            return [self]
        inputs = (
            *(self.x, self.sigma, self.text, self.image_channels, self.pooled),
            *(self.text_lengths, self.guidance, torch.arange(len(self.x))),
        )
        split_references = [values.tensor_split(calls) for values in self.references]
        references = [tuple(parts[call] for parts in split_references) for call in range(calls)]
        parts = zip(
            *(
                [None] * calls if values is None else values.tensor_split(calls)
                for values in inputs
            ),
            references,
            strict=True,
        )
        return [
            replace(
                self,
                x=x,
                sigma=sigma,
                text=text,
                image_channels=extra,
                pooled=pooled_embeds,
                text_lengths=lengths,
                guidance=guidance,
                references=pictures,
                controls=_cut_controls(self.controls, int(numbers[0]), len(numbers)),
            )
            for x, sigma, text, extra, pooled_embeds, lengths, guidance, numbers, pictures in parts
        ]

    def list_unconditional(self, denoised: Tensor) -> list[Tensor | None]:
        """Give each row's unconditional clean latent [C, h, w] of the call; None where none ran."""
        count = len(self.scale)
        return [*denoised[-count:]] if self.is_guided else [None] * count

    def scatter(self, denoised: Tensor) -> Tensor:
        """Guide each row by its conditions: [N, C, h, w] of the call becomes [B, C, h, w].

        A row that asks for it has its spread brought back, in terms of what the network predicts.
        """
        if not self.is_guided:
            return denoised
        count, row_count = len(self.owners), len(self.scale)
        wordless, conditional = denoised[count : count + row_count], denoised[:count]
        pull, weights, rescale, sigma, image_scale = self._send_numbers(denoised.device)
        guided_x0 = self._guide(wordless, conditional, pull)
        if self.image_scale is not None:
            guided_x0 = guide_by_image(guided_x0, wordless, denoised[-row_count:], image_scale)
        if not self.keeps_lengths and not self.rescale.any():
            return guided_x0
        plain, x = self._guide(wordless, conditional, weights), self.x[-row_count:]
        if self.keeps_lengths:
            velocities = (from_x0(x0, x, sigma, self.prediction) for x0 in (guided_x0, plain))
            guided_x0 = to_x0(keep_patch_lengths(*velocities), x, sigma, self.prediction)
        if not self.rescale.any():
            return guided_x0
        rescaled_output = rescale_guidance(
            from_x0(guided_x0, x, sigma, self.prediction),
            from_x0(plain, x, sigma, self.prediction),
            rescale,
        )
        # A row that asks for nothing keeps its numbers to the bit.
        is_kept = (rescale == 0).reshape(-1, 1, 1, 1)
        return torch.where(is_kept, guided_x0, to_x0(rescaled_output, x, sigma, self.prediction))

    def _send_numbers(self, device: torch.device) -> tuple[Tensor, ...]:
        """Copy to the device what guidance needs, in one.

        [K] how far each condition pulls, and without the row's scale; [B] rescale, sigma and image
        scale of each row.
        """
        numbers = (
            self.weights * self.scale[self.owners],
            self.weights,
            self.rescale,
            self.sigma[-len(self.scale) :],
            self.scale if self.image_scale is None else self.image_scale,
        )
        sizes = [len(values) for values in numbers]
        return torch.split(send_tensor(torch.cat(numbers), device), sizes)

    def _guide(self, wordless: Tensor, conditional: Tensor, pull: Tensor) -> Tensor:
        """Guide each row by its conditions, that pull so far."""
        if len(pull) == len(self.scale):  # every row has its one
            return apply_guidance(wordless, conditional, pull)
        owners = send_tensor(self.owners, wordless.device)
        whole = torch.ones(len(self.scale), device=wordless.device)
        return combine_guidance(wordless, conditional, owners, pull, whole)


def _gather_controls(
    rows: Sequence[DenoiseRow], sources: Sequence[int], device: torch.device
) -> tuple[ControlInput, ...]:
    """Lay side by side what each ControlNet looks at; `sources` are the entries' rows."""
    row_controls = [row.list_controls() for row in rows]
    entries: dict[tuple[str, str], list[tuple[int, RowControl, float]]] = {}
    for number, source in enumerate(sources):
        for control, weight in row_controls[source]:
            place = (control.network, control.kind)
            entries.setdefault(place, []).append((number, control, weight))
    return tuple(
        ControlInput(
            network,
            kind,
            torch.tensor([number for number, _, _ in uses]),
            torch.tensor([sources[number] for number, _, _ in uses]),
            torch.tensor([weight for _, _, weight in uses]),
            torch.stack([control.pixels for _, control, _ in uses]).to(device),
        )
        for (network, kind), uses in sorted(entries.items(), key=lambda item: item[0])
    )


def _cut_controls(
    controls: Sequence[ControlInput], begin: int, count: int
) -> tuple[ControlInput, ...]:
    cuts = (control.cut_range(begin, begin + count) for control in controls)
    return tuple(control for control in cuts if control is not None)


def _stack_texts(texts: Sequence[Tensor]) -> Tensor:
    """Stack [tokens, width] each, with zeros behind the shorter ones."""
    if len({len(text) for text in texts}) == 1:
        return torch.stack([*texts])
    return torch.nn.utils.rnn.pad_sequence([*texts], batch_first=True)
