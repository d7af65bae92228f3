"""The LoRAs of one job, run beside a model's layers for the length of one call."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from inference.api.prompts.extra_networks import LoraTag
from inference.diffusion.lora.files import LoraFile
from inference.diffusion.lora.layers import BoundBranch, LoraBranch, bind_branch
from inference.diffusion.lora.names import UNET_PART
from inference.prompts.conditioning import Conditioning, PromptEncoder

#: Changes a layer's output.
LayerHook = Callable[[nn.Module, tuple[Tensor, ...], Tensor], Tensor]


@dataclass(frozen=True, eq=False)
class ActiveLoras:
    """Files with the strengths that a prompt asks for."""

    lora_files: Sequence[tuple[LoraTag, LoraFile]]
    #: What runs beside each layer, by part; made when a part is first run.
    _hooks_by_part: dict[str, dict[str, LayerHook]] = field(default_factory=dict)

    @property
    def text_key(self) -> tuple[tuple[str, float, int | None, int], ...]:
        """Name what encoded prompts depend on: the files themselves, and how strongly."""
        return tuple(
            (lora.name, lora.te, lora.dyn, id(file))
            for lora, file in self.lora_files
            if lora.te or file.embeddings
        )

    @property
    def embeddings(self) -> Mapping[str, tuple[Tensor, ...]]:
        """The words that the files bring along, unless their weight is nothing."""
        return {
            name: vectors
            for lora, file in self.lora_files
            if lora.te or lora.unet
            for name, vectors in file.embeddings.items()
        }

    @contextmanager
    def applied_to_unet(self, unet: Any) -> Iterator[None]:
        """Run the LoRAs beside a denoising network while the block lasts."""
        with self._hook_layers(UNET_PART, unet):
            yield

    @contextmanager
    def applied_to_text_encoders(self, texts: Sequence[Any]) -> Iterator[None]:
        """Run the LoRAs beside text encoders while the block lasts."""
        with ExitStack() as stack:
            for number, text in enumerate(texts):
                stack.enter_context(self._hook_layers(str(number), text))
            yield

    @contextmanager
    def _hook_layers(self, part: str, module: Any) -> Iterator[None]:
        if part not in self._hooks_by_part:
            self._hooks_by_part[part] = {
                layer: _branch_hook(branches)
                for layer, branches in self._branches_by_layer(part).items()
            }
        handles = [
            module.get_submodule(layer).register_forward_hook(hook, prepend=True)
            for layer, hook in self._hooks_by_part[part].items()
        ]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def _branches_by_layer(self, part: str) -> dict[str, list[tuple[float, LoraBranch]]]:
        layers: dict[str, list[tuple[float, LoraBranch]]] = {}
        for lora, file in self.lora_files:
            strength = lora.unet if part == UNET_PART else lora.te
            for (place, layer), branches in file.branches.items():
                for branch in branches if place == part and strength else ():
                    truncated_branch = (
                        branch if lora.dyn is None else branch.truncate_rank(lora.dyn)
                    )
                    layers.setdefault(layer, []).append((strength, truncated_branch))
        return layers


class LoraTextEncoder:
    """An encoder whose text models have LoRAs beside them."""

    def __init__(
        self, encoder: PromptEncoder, active_loras: ActiveLoras, texts: Sequence[Any]
    ) -> None:
        self._encoder, self._active_loras, self._texts = encoder, active_loras, texts

    def encode_pooled(self, text: str) -> Conditioning:
        """Encode a prompt of any length."""
        with self._active_loras.applied_to_text_encoders(self._texts):
            return self._encoder.encode_pooled(text)

    def encode_empty(self) -> Tensor:
        """Encode the empty prompt to [chunk + 2, width] float32."""
        return self.encode_pooled("").crossattn


def _branch_hook(branches: Sequence[tuple[float, LoraBranch]]) -> LayerHook:
    bound_branches: dict[tuple[torch.dtype, torch.device], list[BoundBranch]] = {}

    def add_branches(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
        x = inputs[0]
        key = (x.dtype, x.device)
        if key not in bound_branches:
            bound_branches[key] = [bind_branch(*branch, x) for branch in branches]
        for add_branch in bound_branches[key]:
            output = add_branch(x, output, layer)
        return output

    return add_branches
