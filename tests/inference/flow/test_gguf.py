"""Flow transformers from GGUF files: the same pictures as from the numbers that they stand for."""

import shutil
from dataclasses import replace

import gguf
import numpy as np
import pytest
import torch
from diffusers import ChromaTransformer2DModel, FluxTransformer2DModel
from safetensors.torch import save_file

from inference.api.config import EngineConfig
from inference.api.jobs import ImagineJob
from inference.diffusion.offload import UNET, OffloadManager
from inference.diffusion.quantized import gguf_weights
from inference.diffusion.quantized.gguf_weights import rename_weights
from inference.diffusion.quantized.quantized_linear import QuantizedLinear
from inference.engine.engine import Engine, RunCompleted, aux_batch_limit
from inference.engine.runner import Runner
from inference.engine.scheduler import Scheduler
from inference.model_files.errors import ModelError, UnknownModel, UnsupportedWeights
from inference.model_files.pipelines.part_sizes import measure_parts
from inference.model_library import ModelLibrary
from inference.operations.context import OperationContext
from inference.operations.registry import OPERATIONS
from inference.runtime.memory import weight_bytes
from tests.inference.flow.flow_checkpoints import save_z_image
from tests.inference.flow.gguf_files import write_gguf_twin

Q8_0, Q4_0 = gguf.GGMLQuantizationType.Q8_0, gguf.GGMLQuantizationType.Q4_0
JOB = ImagineJob(prompt="a red apple", steps=2, width=64, height=64, guidance=1.0, seed=3)


@pytest.fixture(scope="module", params=[Q8_0, Q4_0], ids=["Q8_0", "Q4_0"])
def shelf(request, tmp_path_factory, tiny_model):
    """Give a folder with one checkpoint as GGUF and as the numbers of that."""
    folder = tmp_path_factory.mktemp("gguf")
    save_z_image(folder.with_name(f"{folder.name}-source"))
    write_gguf_twin(folder.with_name(f"{folder.name}-source"), folder, request.param)
    (folder / "tiny").symlink_to(tiny_model / "tiny", target_is_directory=True)
    return folder


@pytest.fixture(scope="module")
def library(shelf):
    config = EngineConfig(model="tiny", models_dir=str(shelf), cache_dir=str(shelf / "cache"))
    return ModelLibrary(config, torch.device("cpu"), torch.float32)


def draw(library, name, prompt=JOB.prompt):
    engine = Engine(Runner(library, {}), Scheduler(8, aux_batch_limit(8, 1)))
    context = OperationContext(library, max_pixels=1024 * 1024)
    job = replace(JOB, model=name, prompt=prompt)
    reports = engine.add_job("job", 1, OPERATIONS[job.kind](job, {}, context))
    while not engine.is_idle:
        reports += engine.step()
    engine.close()
    (completed,) = [report for report in reports if isinstance(report, RunCompleted)]
    return np.asarray(completed.result.images[0].image, dtype=int)


def test_the_engine_draws_what_the_dequantised_weights_draw(library):
    quantised = library.get_checkpoint("quantised").network
    kinds = [type(m) for m in quantised.modules() if isinstance(m, torch.nn.Linear)]

    assert kinds.count(QuantizedLinear) > len(kinds) / 2
    assert np.abs(draw(library, "quantised") - draw(library, "plain")).max() <= 1


def test_it_takes_the_bytes_of_the_file_and_the_plan_knows_it(library, shelf):
    small, full = (weight_bytes(library.get_checkpoint(n).network) for n in ("quantised", "plain"))
    sizes = measure_parts(shelf / "quantised", {"network": 4, "text": 4, "autoencoder": 4})

    assert small < full * 0.6
    # What is kept whole in the file is there as it is computed.
    assert sizes.network == pytest.approx(small, rel=0.02)


def test_bytes_come_back_from_another_memory_as_they_were(library):
    network = library.get_checkpoint("quantised").network
    layer = next(m for m in network.modules() if isinstance(m, QuantizedLinear))
    before = layer.weight.clone()
    manager = OffloadManager({UNET: [layer]}, torch.device("meta"), level="medvram")
    manager.prepare_part(UNET, 1)
    assert layer.stored_weight.device.type == "meta"
    manager._parts[UNET][0].unload_weights()

    assert layer.stored_weight.dtype is torch.uint8
    assert torch.equal(layer.weight, before)


def test_a_lora_runs_beside_layers_of_bytes(library, shelf):
    """DoRA, too, which asks for the weight itself."""
    draws = torch.Generator().manual_seed(2)
    place = "transformer.layers.0.attention.to_q"
    weights = {
        f"{place}.lora_A.weight": torch.randn(4, 32, generator=draws),
        f"{place}.lora_B.weight": torch.randn(32, 4, generator=draws),
    }
    (shelf / "loras").mkdir(exist_ok=True)
    save_file(weights, shelf / "loras" / "plain-style.safetensors")
    norms = {f"{place}.lora_magnitude_vector": torch.rand(32, generator=draws) + 1}
    save_file(weights | norms, shelf / "loras" / "dora-style.safetensors")
    without = draw(library, "quantised")
    for name in ("plain-style", "dora-style"):
        prompt = f"{JOB.prompt} <lora:{name}:1>"
        styled = draw(library, "quantised", prompt)

        assert np.abs(styled - without).max() > 4
        assert np.abs(styled - draw(library, "plain", prompt)).max() <= 1


def test_k_quants_and_the_rest_come_to_what_gguf_itself_says():
    generator = np.random.default_rng(0)
    for name in (
        "Q2_K",
        "Q3_K",
        "Q4_K",
        "Q5_K",
        "Q6_K",
        "Q4_1",
        "Q5_0",
        "Q5_1",
        "IQ4_NL",
        "IQ4_XS",
    ):
        kind = gguf.GGMLQuantizationType[name]
        _, size = gguf.GGML_QUANT_SIZES[kind]
        data = generator.integers(0, 60, (3, 2 * size), dtype=np.uint8)
        wanted = gguf.quants.dequantize(data, kind)
        found = gguf_weights._decode_blocks(kind, torch.from_numpy(data), torch.float32)

        assert np.allclose(found.numpy(), wanted, rtol=1e-3, atol=1e-4), name


def test_a_damaged_file_and_one_of_another_family_are_refused(shelf, tmp_path, library):
    target = shelf / "damaged"
    shutil.copytree(shelf / "quantised", target)
    file = target / "transformer" / "net.gguf"
    file.write_bytes(file.read_bytes()[:-5000])
    with pytest.raises(ModelError, match="cut short"):
        library.get_checkpoint("damaged")
    writer = gguf.GGUFWriter(file, "llama")
    writer.add_tensor("blk.0.weight", np.zeros(32, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    with pytest.raises(UnsupportedWeights, match="of the architecture llama"):
        library.get_checkpoint("damaged")
    shutil.rmtree(target)


def test_a_weight_that_is_missing_is_named(shelf, library):
    target = shelf / "lacking"
    shutil.copytree(shelf / "quantised", target)
    file = target / "transformer" / "net.gguf"
    data = file.read_bytes()
    file.write_bytes(data.replace(b"x_embedder.weight", b"y_embedder.weight"))
    with pytest.raises(ModelError, match=r"x_embedder.*weight"):
        library.get_checkpoint("lacking")
    shutil.rmtree(target)


def test_a_lone_file_is_answered_with_where_it_belongs(shelf, library):
    shutil.copy(shelf / "quantised" / "transformer" / "net.gguf", shelf / "lone.gguf")
    with pytest.raises(UnsupportedWeights, match="into the folder `transformer`"):
        library.resolve_name("lone")
    with pytest.raises(UnknownModel):
        library.resolve_name("alone")


def flux_shapes(is_chroma):
    """Name the weights of FLUX.1 or Chroma in the original layout with their shapes."""
    width, mlp = 3072, 12288
    shapes = {"img_in": (width, 64), "txt_in": (width, 4096), "final_layer.linear": (64, width)}
    heads = [*(f"double_blocks.{n}" for n in range(19))]
    for block in heads:
        for side in ("img", "txt"):
            shapes[f"{block}.{side}_attn.qkv"] = (3 * width, width)
            shapes[f"{block}.{side}_attn.proj"] = (width, width)
            shapes[f"{block}.{side}_mlp.0"] = (mlp, width)
            shapes[f"{block}.{side}_mlp.2"] = (width, mlp)
            if not is_chroma:
                shapes[f"{block}.{side}_mod.lin"] = (6 * width, width)
    for number in range(38):
        block = f"single_blocks.{number}"
        shapes[f"{block}.linear1"] = (3 * width + mlp, width)
        shapes[f"{block}.linear2"] = (width, width + mlp)
        if not is_chroma:
            shapes[f"{block}.modulation.lin"] = (3 * width, width)
    if is_chroma:
        shapes["distilled_guidance_layer.in_proj"] = (5120, 64)
        shapes["distilled_guidance_layer.out_proj"] = (3072, 5120)
        for number in range(5):
            place = f"distilled_guidance_layer.layers.{number}"
            shapes[f"{place}.in_layer"] = shapes[f"{place}.out_layer"] = (5120, 5120)
    else:
        shapes["final_layer.adaLN_modulation.1"] = (2 * width, width)
        for place, inputs in (("time_in", 256), ("vector_in", 768), ("guidance_in", 256)):
            shapes[f"{place}.in_layer"] = (width, inputs)
            shapes[f"{place}.out_layer"] = (width, width)
    scales = {
        f"{block}.{side}_attn.norm.{kind}_norm.scale": (128,)
        for block in heads
        for side in ("img", "txt")
        for kind in ("query", "key")
    } | {
        f"single_blocks.{n}.norm.{kind}_norm.scale": (128,)
        for n in range(38)
        for kind in ("query", "key")
    }
    if is_chroma:
        scales |= {f"distilled_guidance_layer.norms.{n}.scale": (5120,) for n in range(5)}
    return shapes, scales


@pytest.mark.parametrize("is_chroma", [False, True], ids=["FLUX.1 dev", "Chroma"])
def test_files_of_real_size_have_every_weight_in_its_shape(is_chroma):
    from diffusers.quantizers.gguf.utils import GGUFParameter

    matrices, scales = flux_shapes(is_chroma)
    with torch.device("meta"):
        weights = {name: torch.empty(shape) for name, shape in scales.items()}
        for name, (rows, columns) in matrices.items():
            stored = torch.empty(rows, columns // 32 * 34, dtype=torch.uint8)
            weights[f"{name}.weight"] = GGUFParameter(stored, quant_type=Q8_0)
            weights[f"{name}.bias"] = torch.empty(rows)
        kind = ChromaTransformer2DModel if is_chroma else FluxTransformer2DModel
        network = kind() if is_chroma else kind(guidance_embeds=True)
    renamed = rename_weights(weights, kind.__name__)
    wanted = {name: tuple(weight.shape) for name, weight in network.state_dict().items()}

    assert wanted == {
        name: tuple(getattr(weight, "quant_shape", weight.shape))
        for name, weight in renamed.items()
    }
