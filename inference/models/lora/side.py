"""The LoRAs of one job, run beside a model's layers for the length of one call."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from inference.models.lora.branches import Branch
from inference.models.lora.files import LoraFile
from inference.models.lora.names import UNET
from inference.prompts.conditioning import Conditioning, Encoder
from inference.prompts.networks import Lora


@dataclass(frozen=True, eq=False)
class Side:
    """Files with the strengths that a prompt asks for."""

    used: Sequence[tuple[Lora, LoraFile]]

    @property
    def text_key(self) -> tuple[tuple[str, float, int | None, int], ...]:
        """Name what encoded prompts depend on: the files themselves, and how strongly."""
        return tuple(
            (lora.name, lora.te, lora.dyn, id(file)) for lora, file in self.used if lora.te
        )

    @contextmanager
    def beside_unet(self, unet: Any) -> Iterator[None]:
        """Run the LoRAs beside a denoising network while the block lasts."""
        with self._beside(UNET, unet):
            yield

    @contextmanager
    def beside_texts(self, texts: Sequence[Any]) -> Iterator[None]:
        """Run the LoRAs beside text encoders while the block lasts."""
        with ExitStack() as stack:
            for number, text in enumerate(texts):
                stack.enter_context(self._beside(str(number), text))
            yield

    @contextmanager
    def _beside(self, part: str, module: Any) -> Iterator[None]:
        handles = [
            module.get_submodule(layer).register_forward_hook(_adding(branches))
            for layer, branches in self._layers(part).items()
        ]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def _layers(self, part: str) -> dict[str, list[tuple[float, Branch]]]:
        layers: dict[str, list[tuple[float, Branch]]] = {}
        for lora, file in self.used:
            strength = lora.unet if part == UNET else lora.te
            for (place, layer), branch in file.branches.items():
                if place == part and strength:
                    cut = branch if lora.dyn is None else branch.cut(lora.dyn)
                    layers.setdefault(layer, []).append((strength, cut))
        return layers


class SideEncoder:
    """An encoder whose text models have LoRAs beside them."""

    def __init__(self, encoder: Encoder, side: Side, texts: Sequence[Any]) -> None:
        self._encoder, self._side, self._texts = encoder, side, texts

    def encode_pooled(self, text: str) -> Conditioning:
        """Encode a prompt of any length."""
        with self._side.beside_texts(self._texts):
            return self._encoder.encode_pooled(text)

    def empty(self) -> Tensor:
        """Encode the empty prompt to [chunk + 2, width] float32."""
        return self.encode_pooled("").crossattn


def _adding(
    branches: Sequence[tuple[float, Branch]],
) -> Callable[[nn.Module, tuple[Tensor, ...], Tensor], Tensor]:
    def hook(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
        for strength, branch in branches:
            output = output + strength * branch.run(inputs[0], layer)
        return output

    return hook
