"""Load a checkpoint from a folder or a file, with what the host laid beside it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch

from inference.api.catalogue.memory_plan import (
    LowMemory,
    MemoryPlan,
    PartSizes,
    WeightFormat,
    count_least_bytes,
    plan_memory,
)
from inference.api.messages import INSTRUCT_ROLE, REFINER_ROLE
from inference.diffusion import diffusers_folder
from inference.diffusion.embeddings import CheckpointEmbeddings, load_embeddings
from inference.diffusion.flow.flow_folder import load_flow_folder, read_language_tokenizer
from inference.diffusion.latent_preview import fit_preview_map
from inference.diffusion.model import PIXELS_PER_CELL, DiffusionModel, LatentModel
from inference.diffusion.offload import (
    CPU_DEVICE,
    RESERVED_BYTES,
    TEXT,
    UNET,
    VAE,
    WORK_BYTES,
    OffloadManager,
)
from inference.diffusion.single_file import (
    XL_FAMILIES,
    load_checkpoint,
    natural_side,
    read_config,
    read_vae,
)
from inference.diffusion.text_encoders import TextEncoders
from inference.diffusion.unet.blocks import join_projections, simplify_unet
from inference.diffusion.unet.compiled_unet import CompiledUnet
from inference.model_files.errors import CorruptWeights, UnsupportedWeights
from inference.model_files.files import (
    EMBEDDINGS_DIR,
    ModelFolder,
    is_folder,
    part_folder,
    vae_beside,
)
from inference.model_files.hashes import FileHashes, file_key
from inference.model_files.identity import (
    FAMILY_BY_TEXT_WIDTH,
    INSTRUCT_CHANNELS,
    checkpoint_identity,
)
from inference.model_files.inspection import log_left_out
from inference.model_files.pipeline_folder import (
    DEFAULT_CHANNELS,
    check_folder,
    read_channels,
    read_part_config,
)
from inference.model_files.pipelines.flow_families import (
    NATURAL_SIDE,
    PATCH_PIXELS,
    FlowFamily,
    FlowVariant,
    find_flow_family,
    read_pipeline_class,
)
from inference.model_files.pipelines.part_sizes import PartKind, measure_parts
from inference.model_files.pipelines.part_weights import (
    find_main_file,
    find_part_files,
    list_weight_files,
)
from inference.prompts.chunks import Tokenizer
from inference.runtime.compiling import compile_frozen, compile_lazily
from inference.runtime.memory import weight_bytes
from inference.runtime.precision import PartFormats

#: Entries of a call that a checkpoint must have the memory for: one picture with guidance.
MIN_ENTRIES = 2
#: Everything on the device at once.
WHOLE_PLAN = MemoryPlan()
#: Weights of a denoising network on a processor that are few enough to be copied for every size.
MAX_FROZEN_BYTES = 64 * 2**20


@dataclass(frozen=True)
class CheckpointLoader:
    """Where checkpoints lie, and where and how they are to run."""

    folder: ModelFolder
    configs: Path
    hashes: FileHashes
    device: torch.device
    dtype: torch.dtype
    #: Entries of a network call for which it is compiled at most; 0 compiles nothing.
    compiled: int = 0

    def build_model(self, path: Path, key: str, plan: MemoryPlan = WHOLE_PLAN) -> LatentModel:
        """Load a checkpoint, its parts together or, to spare memory, ready to come one by one.

        Raises:
            ModelError: it cannot be read, was exchanged meanwhile, or is of a family that Easel
                does not run.
        """
        try:
            keys = [file_key(file) for file in list_weight_files(path)]
            model = self._read_model(path, key, plan)
            is_same = keys == [file_key(file) for file in list_weight_files(path)]
        except OSError as error:  # a drive that answers no more
            raise CorruptWeights("weights.unreadable_file", name=key, error=error) from error
        if not is_same:
            raise CorruptWeights("weights.changed", name=key)
        return model

    def _read_model(self, path: Path, key: str, plan: MemoryPlan) -> LatentModel:
        vae = vae_beside(self.folder.path, key, path)
        vae_file = vae or _find_autoencoder_file(path)
        formats = self._choose_formats(path, overflows=self.hashes.is_overflowing(vae_file))
        is_whole = plan.fit == "whole"
        place = self.device if is_whole else CPU_DEVICE
        model: LatentModel
        family = find_flow_family(path)
        if family is not None:
            check_folder(path)
            model = load_flow_folder(path, key, family, place, formats, plan.weight_format)
        elif is_folder(path):
            model = diffusers_folder.load_folder(path, key, place, formats)
        else:
            model = load_checkpoint(path, key, place, formats, configs=self.configs, vae=vae)
        if is_folder(path) and vae is not None:
            config = dict(model.vae.config)
            model = replace(model, vae=read_vae(vae, config, place, formats.autoencoder))
        if isinstance(model, DiffusionModel):
            simplify_unet(model.unet)
        if isinstance(model, DiffusionModel) and is_whole:
            if self.device.type != "cpu":
                join_projections(model.unet)
            model = replace(model, fast=self._build_compiled_unet(model))
        parts = {UNET: [model.network], VAE: [model.vae], TEXT: model.text_encoders.models}
        text_encoders = model.text_encoders
        if isinstance(text_encoders, TextEncoders):
            text_encoders = replace(text_encoders, embeddings=self._load_embeddings(model))
        loaded_model = replace(
            model,
            digest=self.hashes.short_hash(find_main_file(path)),
            text_encoders=text_encoders,
            device=self.device,
            offload=OffloadManager(
                parts, self.device, level=plan.low_memory, text_by_block=plan.text_by_block
            ),
            on_overflow=partial(self.hashes.remember_overflow, vae_file),
        )
        if family is None or loaded_model.rgb is not None:
            return loaded_model
        return replace(loaded_model, rgb=fit_preview_map(loaded_model))

    def _choose_formats(self, path: Path, *, overflows: bool) -> PartFormats:
        """Choose in which format each part of a checkpoint is loaded.

        Only SDXL's settings are asked about the autoencoder: diffusers writes `force_upcast` into
        all of them, and heeds it there alone.

        Raises:
            ModelError: it cannot be read, or is of a family that is not run.
        """
        if find_flow_family(path) is not None:
            formats = PartFormats.of_device(self.dtype, self.device).without_float16(self.device)
            return formats.for_autoencoder({}, overflows=overflows)
        if is_folder(path):
            is_pair = is_folder(part_folder(path, "text_encoder_2"))
            config = read_part_config(path, "vae") if is_pair else {}
        else:
            family = str(checkpoint_identity(path).family)
            config = read_config(family, self.configs)["vae"]
        formats = PartFormats.of_device(self.dtype, self.device)
        return formats.for_autoencoder(config, overflows=overflows)

    def _build_compiled_unet(self, model: DiffusionModel) -> CompiledUnet | None:
        """Let the denoising network be compiled, if the host wants that.

        A small one is frozen: it has the memory for weights packed anew for every size.
        """
        if not self.compiled or model.is_refiner:
            return None
        return CompiledUnet(
            model.unet,
            cells=model.size // PIXELS_PER_CELL,
            tokens=model.text_encoders.tokenizer.length,
            max_entries=self.compiled,
            compile_=compile_frozen if _is_frozen(model) else compile_lazily,
        )

    def expected_bytes(self, path: Path) -> int:
        """Guess a checkpoint's bytes once loaded, by the headers of its files.

        Raises:
            ModelError: a file cannot be read.
        """
        return self._measure_parts(path).total

    def _measure_parts(self, path: Path) -> PartSizes:
        formats = self._choose_formats(path, overflows=False)
        number_bytes: dict[PartKind, int] = {
            "network": formats.network.itemsize,
            "text": formats.text.itemsize,
            "autoencoder": formats.autoencoder.itemsize,
        }
        return measure_parts(path, number_bytes)

    def find_plan(
        self,
        path: Path,
        free_bytes: int | None,
        low_memory: LowMemory = "none",
        weight_format: WeightFormat | None = None,
    ) -> MemoryPlan | None:
        """Choose by headers alone how a checkpoint is to lie on the device; None if it cannot.

        `free_bytes` is what it may take there; where that is not known, as the host wants it. A
        processor has no other memory: there it lies whole.

        Raises:
            ModelError: a file cannot be read.
        """
        own_format = weight_format or "full"
        if free_bytes is None:
            return MemoryPlan(low_memory=low_memory, weight_format=own_format)
        sizes, work_bytes = self._measure_parts(path), self._count_work(path)
        if self.device.type == "cpu":
            is_small = own_format == "fp8" and sizes.fp8_network
            saved_bytes = sizes.network - sizes.fp8_network if is_small else 0
            whole_bytes = sizes.total - saved_bytes + work_bytes
            plan = MemoryPlan(bytes=whole_bytes, weight_format=own_format)
            return plan if whole_bytes <= free_bytes else None
        return plan_memory(
            sizes, free_bytes, work_bytes, low_memory=low_memory, weight_format=weight_format
        )

    def require_plan(
        self,
        path: Path,
        key: str,
        free_bytes: int | None,
        low_memory: LowMemory,
        weight_format: WeightFormat | None = None,
    ) -> MemoryPlan:
        """Choose how a checkpoint is to lie on the device.

        Raises:
            UnsupportedWeights: it does not fit; the message says how much would do.
            ModelError: a file cannot be read.
        """
        plan = self.find_plan(path, free_bytes, low_memory, weight_format)
        if plan is not None:
            return plan
        sizes, work_bytes = self._measure_parts(path), self._count_work(path)
        is_whole = self.device.type == "cpu"
        least_bytes = (
            sizes.total + work_bytes
            if is_whole
            else count_least_bytes(sizes, work_bytes, weight_format)
        )
        raise UnsupportedWeights(
            "weights.no_memory" if is_whole else "weights.no_card_memory",
            name=key,
            least=f"{least_bytes / 2**30:.1f}",
            free=f"{(free_bytes or 0) / 2**30:.1f}",
        )

    def _count_work(self, path: Path) -> int:
        """Count the bytes beside the weights that one picture of its usual size takes."""
        cells = (self.natural_size(path) // PIXELS_PER_CELL) ** 2
        work_bytes = MIN_ENTRIES * cells * WORK_BYTES[UNET]
        return RESERVED_BYTES + max(work_bytes, WORK_BYTES[TEXT])

    def natural_size(self, path: Path) -> int:
        """Give the side of a checkpoint's own pictures in pixels, without loading it.

        Raises:
            ModelError: it cannot be read.
        """
        if find_flow_family(path) is not None:
            return NATURAL_SIDE
        if is_folder(path):
            return diffusers_folder.natural_size(path)
        return natural_side(path, self.configs)

    def size_multiple(self, path: Path) -> int:
        """Say what sides of a checkpoint's pictures are multiples of, without loading it."""
        return PIXELS_PER_CELL if find_flow_family(path) is None else PATCH_PIXELS

    def flow_family(self, path: Path) -> FlowFamily | None:
        """Name the flow family that a checkpoint is of; None for others."""
        return find_flow_family(path)

    def count_references(self, path: Path) -> int:
        """Give the most pictures that a checkpoint looks at in an edit, without loading it.

        Raises:
            ModelError: it cannot be read.
        """
        if (family := find_flow_family(path)) is not None:
            return family.find_variant(read_pipeline_class(path)).max_references
        return int(self.checkpoint_role(path) == INSTRUCT_ROLE)

    def reference_fit(self, path: Path) -> str:
        """Say how pictures that a flow checkpoint looks at are brought to size."""
        family = find_flow_family(path)
        return (
            FlowVariant().reference_fit
            if family is None
            else family.find_variant(read_pipeline_class(path)).reference_fit
        )

    def checkpoint_role(self, path: Path) -> str:
        """Say what a checkpoint does alone, as `ModelInfo.role`, without loading it.

        Raises:
            ModelError: it cannot be read.
        """
        if find_flow_family(path) is not None:
            return ""
        if not is_folder(path) and checkpoint_identity(path).family == "refiner":
            return REFINER_ROLE
        channels = read_channels(path) if is_folder(path) else checkpoint_identity(path).channels
        return INSTRUCT_ROLE if channels == INSTRUCT_CHANNELS else ""

    def checkpoint_family(self, path: Path) -> str:
        """Say whose ControlNets fit a checkpoint: `sd1`, `sd2`, `sdxl`; empty for no known.

        Raises:
            ModelError: it cannot be read.
        """
        if find_flow_family(path) is not None:
            return ""
        if not is_folder(path):
            return str(checkpoint_identity(path).family)
        width = read_part_config(path, "unet").get("cross_attention_dim")
        return FAMILY_BY_TEXT_WIDTH.get(width, "") if type(width) is int else ""

    def can_refine(self, path: Path, other: Path) -> bool:
        """Whether one checkpoint can go on from another's latents: both are of SDXL, or neither.

        Raises:
            ModelError: one cannot be read.
        """
        if find_flow_family(path) is not None or find_flow_family(other) is not None:
            return False
        is_plain = (
            read_channels(path) == DEFAULT_CHANNELS if is_folder(path) else _is_plain_file(path)
        )
        return is_plain and self._is_xl(path) == self._is_xl(other)

    def _is_xl(self, path: Path) -> bool:
        if is_folder(path):
            return diffusers_folder.is_pair(path)
        return checkpoint_identity(path).family in XL_FAMILIES

    def text_width(self, path: Path) -> int:
        """Give how wide a checkpoint's words are, of both encoders together, without loading it."""
        if find_flow_family(path) is not None:
            return 0
        if is_folder(path):
            return diffusers_folder.text_width(path)
        config = read_config(str(checkpoint_identity(path).family), self.configs)
        return sum(int(text["hidden_size"]) for text in config["text_encoders"])

    def inspect_checkpoint(self, path: Path) -> int:
        """See by settings and headers that a checkpoint can be run; give its pictures' side.

        Raises:
            ModelError: it cannot.
        """
        if is_folder(path):
            check_folder(path)
        return self.natural_size(path)

    def checkpoint_tokenizer(self, path: Path) -> Tokenizer:
        """Give the tokenizer by which a checkpoint's prompts are split, without loading it.

        Raises:
            CorruptWeights: it cannot be read.
        """
        if (family := find_flow_family(path)) is not None:
            return read_language_tokenizer(path, family)
        place = path if is_folder(path) else self.configs
        return diffusers_folder.read_tokenizer(part_folder(place, "tokenizer"))

    def _name_hidden_embeddings(self) -> None:
        """Name for the host the embeddings whose name a file in another folder has."""
        named_paths = self.folder.list_files(EMBEDDINGS_DIR)
        for path in self.folder.list_paths(EMBEDDINGS_DIR):
            if named_paths[path.stem] != path:
                other = _shown_path(named_paths[path.stem])
                error = CorruptWeights("weights.same_name", file=other)
                log_left_out("embeddings", _shown_path(path), error)

    def _load_embeddings(self, model: LatentModel) -> CheckpointEmbeddings:
        if model.is_refiner:  # the base has put a picture's learned words into it by then
            return CheckpointEmbeddings()
        self._name_hidden_embeddings()
        widths = [int(text.config.hidden_size) for text in model.text_encoders.models]
        return load_embeddings(self.folder.list_files(EMBEDDINGS_DIR), widths)


def _shown_path(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"


def _find_autoencoder_file(path: Path) -> Path:
    return find_part_files(path, "vae")[0] if is_folder(path) else path


def model_bytes(model: LatentModel) -> int:
    """Count the bytes of a loaded checkpoint's weights, with the copies that compiling makes."""
    parts = (model.network, model.vae, *model.text_encoders.models)
    copies = len(model.fast.sizes) if model.fast and _is_frozen(model) else 0
    return weight_bytes(*parts) + copies * weight_bytes(model.network)


def _is_plain_file(path: Path) -> bool:
    return checkpoint_identity(path).channels == DEFAULT_CHANNELS


def _is_frozen(model: LatentModel) -> bool:
    """Whether the denoising network, once compiled, holds a copy of its weights for every size."""
    return model.device.type == "cpu" and weight_bytes(model.network) <= MAX_FROZEN_BYTES
