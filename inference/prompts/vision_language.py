"""Qwen2.5-VL as a text encoder: it reads a prompt inside a task, and sees pictures before it.

The tasks and how many of their tokens are left out are those that the network was trained behind.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import torch
from PIL import Image

from inference.api.prompts.attention import strip_weights
from inference.images.resize import scale_to_area
from inference.prompts.conditioning import Conditioning

_USER_TURN = "<|im_end|>\n<|im_start|>user\n{}<|im_end|>\n<|im_start|>assistant\n"
#: What a picture is described by, and tokens before the prompt.
DESCRIBE_TASK = (
    "<|im_start|>system\nDescribe the image by detailing the color, shape, size, texture, "
    "quantity, text, spatial relationships of the objects and background:" + _USER_TURN
)
DESCRIBE_TOKENS = 34
#: What a picture is edited by, and tokens before it.
EDIT_TASK = (
    "<|im_start|>system\nDescribe the key features of the input image (color, shape, size, "
    "texture, objects, background), then explain how the user's text instruction should alter or "
    "modify the image. Generate a new image that meets the user's requirements while maintaining "
    "consistency with the original input where appropriate." + _USER_TURN
)
EDIT_TOKENS = 64
IMAGE_TOKEN = "<|image_pad|>"  # noqa: S105
IMAGE_TEXT = f"<|vision_start|>{IMAGE_TOKEN}<|vision_end|>"


@dataclass(frozen=True, eq=False)
class VisionEncoder:
    """A vision-language model that reads a prompt, and looks at the pictures of an edit."""

    #: A tokenizer of transformers.
    tokenizer: Any
    model: Any
    max_tokens: int
    #: Cuts pictures into the model's patches; None where the checkpoint looks at none.
    image_processor: Any = None
    #: Whether each picture is called by its number.
    are_numbered: bool = False
    #: Pixels of what the model sees of each picture; None for all of it.
    seen_area: int | None = None
    pictures: tuple[Image.Image, ...] = ()

    def with_pictures(self, pictures: Sequence[Image.Image]) -> Self:
        """Give the encoder that looks at these RGB pictures, in their order."""
        return replace(self, pictures=tuple(self._shrink_seen(picture) for picture in pictures))

    @torch.inference_mode()
    def encode_pooled(self, text: str) -> Conditioning:
        """Encode a prompt to [tokens, width] float32; beyond the most tokens words are cut off."""
        task, skipped_tokens = (
            (EDIT_TASK, EDIT_TOKENS) if self.pictures else (DESCRIBE_TASK, DESCRIBE_TOKENS)
        )
        device = self.model.get_input_embeddings().weight.device
        seen, places = self._process_pictures(device)
        tokens = self.tokenizer(
            [task.format(places + strip_weights(text))],
            max_length=None if self.pictures else self.max_tokens + skipped_tokens,
            truncation=not self.pictures,
            return_tensors="pt",
        )
        input_ids = tokens.input_ids.to(device)
        if self.pictures:  # whose places are counted in rows and columns
            seen["mm_token_type_ids"] = (input_ids == self.model.config.image_token_id).int()
        output = self.model(
            input_ids=input_ids,
            attention_mask=tokens.attention_mask.to(device),
            output_hidden_states=True,
            use_cache=False,
            **seen,
        )
        return Conditioning(output.hidden_states[-1][0, skipped_tokens:].float())

    def encode_empty(self) -> torch.Tensor:
        """Encode the empty prompt to [tokens, width] float32."""
        return self.encode_pooled("").crossattn

    def _process_pictures(self, device: torch.device) -> tuple[dict[str, Any], str]:
        """Give what the model sees of its pictures, and the text that holds their places."""
        if not self.pictures:
            return {}, ""
        inputs = self.image_processor(images=list(self.pictures), return_tensors="pt")
        patches_a_token = self.image_processor.merge_size**2
        texts = []
        for number, grid in enumerate(inputs["image_grid_thw"], 1):
            tokens = IMAGE_TOKEN * (int(grid.prod()) // patches_a_token)
            name = f"Picture {number}: " if self.are_numbered else ""
            texts.append(name + IMAGE_TEXT.replace(IMAGE_TOKEN, tokens))
        return {name: values.to(device) for name, values in inputs.items()}, "".join(texts)

    def _shrink_seen(self, picture: Image.Image) -> Image.Image:
        if self.seen_area is None:
            return picture
        size = scale_to_area(picture.size, self.seen_area)
        return picture.resize(size, Image.Resampling.LANCZOS)


def hash_pictures(pictures: Sequence[Image.Image]) -> str:
    """Hash RGB pictures by their pixels, in their order."""
    digest = hashlib.sha256()
    for picture in pictures:
        digest.update(f"{picture.size}".encode() + picture.tobytes())
    return digest.hexdigest()
