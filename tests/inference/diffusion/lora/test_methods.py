"""Methods of LoRA and LyCORIS files, held to the changed layer written out from their papers."""

import copy

import pytest
import torch
from safetensors.torch import save_file

from inference.api.prompts.extra_networks import LoraTag
from inference.diffusion.lora.active import ActiveLoras
from inference.diffusion.lora.files import load_lora
from inference.diffusion.offload import UNET, OffloadManager
from inference.model_files.errors import ModelError, UnsupportedWeights

RANK, ALPHA = 4, 2.0
LINEAR = "down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k"
WITH_BIAS = "down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_out.0"
SQUARE = "down_blocks.0.attentions.0.proj_in"  # a 1 × 1 convolution
CONV = "down_blocks.0.resnets.0.conv1"
GROUP_NORM, LAYER_NORM = (
    "down_blocks.0.resnets.0.norm1",
    "down_blocks.0.attentions.0.transformer_blocks.0.norm2",
)
LAYERS = (LINEAR, WITH_BIAS, SQUARE, CONV)


@pytest.fixture
def random():
    generator = torch.Generator().manual_seed(4)
    return lambda *shape: torch.randn(shape, generator=generator) * 0.3


@pytest.fixture
def save(tmp_path):
    def save(state, metadata=None, name="style.safetensors"):
        path = tmp_path / name
        save_file(state, path, metadata)
        return path

    return save


def kohya(layer):
    return "lora_unet_" + layer.replace(".", "_")


def low_rank(random, weight):
    out, into, *kernel = weight.shape
    down, up = random(RANK, into, *kernel), random(out, RANK, *(1 for _ in kernel))
    fields = {"lora_down.weight": down, "lora_up.weight": up, "alpha": torch.tensor(ALPHA)}
    return fields, (up.flatten(1) @ down.flatten(1)).reshape(weight.shape) * ALPHA / RANK


def dora_of_outputs(random, weight):
    fields, delta = low_rank(random, weight)
    magnitude = random(len(weight)).abs() + 0.5
    rows = [(w + d) / (w + d).norm() * m for w, d, m in zip(weight, delta, magnitude, strict=True)]
    fields["dora_scale"] = magnitude.reshape(-1, *(1 for _ in weight.shape[1:]))
    return fields, torch.stack(rows)


def dora_of_inputs(random, weight):
    fields, delta = low_rank(random, weight)
    magnitude = random(weight.shape[1]).abs() + 0.5
    columns = (weight + delta).unbind(1)
    scaled = [column / column.norm() * m for column, m in zip(columns, magnitude, strict=True)]
    fields["dora_scale"] = magnitude.reshape(1, -1, *(1 for _ in weight.shape[2:]))
    return fields, torch.stack(scaled, 1)


def dora_of_peft(random, weight):
    fields, merged = dora_of_outputs(random, weight)
    fields["lora_magnitude_vector.weight"] = fields.pop("dora_scale").flatten()
    return fields, merged


def dora_of_hadamard(random, weight):
    out, rest = weight.shape[0], weight[0].numel()
    a1, b1, a2, b2 = random(out, RANK), random(RANK, rest), random(out, RANK), random(RANK, rest)
    merged = weight + ((a1 @ b1) * (a2 @ b2)).reshape(weight.shape)
    magnitude = random(out).abs() + 0.5
    rows = torch.stack([row / row.norm() * m for row, m in zip(merged, magnitude, strict=True)])
    names = ("hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b")
    fields = dict(zip(names, (a1, b1, a2, b2), strict=True))
    return fields | {"dora_scale": magnitude.reshape(-1, *(1 for _ in weight.shape[1:]))}, rows


def rotation_of(block, most=None):
    """Cayley's transform of a block's skew-symmetric part, of a norm of at most so much."""
    skew = block - block.T
    if most is not None and skew.norm() > most:
        skew = skew * most / skew.norm()
    eye = torch.eye(len(block))
    return torch.linalg.solve(eye - skew, eye + skew, left=False)


def oft_of_kohya(random, weight, constraint=0.0):
    size = len(weight) // 4
    blocks = random(4, size, size)
    skew = blocks - blocks.transpose(1, 2)
    share = min(1.0, constraint * len(weight) / float(skew.norm())) if constraint else 1.0
    rotation = torch.block_diag(*(rotation_of(block * share) for block in blocks))
    fields = {"oft_blocks": blocks, "alpha": torch.tensor(constraint)}
    return fields, (rotation.T @ weight.flatten(1)).reshape(weight.shape)


def constrained_oft(random, weight):
    return oft_of_kohya(random, weight, constraint=0.01)


def diagonal_oft(random, weight):
    fields, rotated = oft_of_kohya(random, weight)
    rescale = random(len(weight)) + 1
    columns = [1 for _ in weight.shape[1:]]
    fields = {"oft_diag": fields["oft_blocks"], "rescale": rescale.reshape(-1, *columns)}
    return fields, rotated * rescale.reshape(-1, *columns)


def butterfly_oft(random, weight):
    """Stage i mixes, in blocks of b, outputs that lie 2^i · b/2 apart: as permuted matrices."""
    out, size = len(weight), 4
    count, stages = out // size, 2
    blocks = random(stages, count, size, size)
    rows = weight.flatten(1)
    for number in range(stages):
        half = 2**number * size // 2
        order = [
            start + side * half + offset
            for start in range(0, out, 2 * half)
            for offset in range(half)
            for side in range(2)
        ]
        rotation = torch.block_diag(*(rotation_of(block) for block in blocks[number]))
        mixed = rotation @ rows[order]
        rows = torch.empty_like(rows)
        rows[order] = mixed
    return {"oft_blocks": blocks, "alpha": torch.tensor(0.0)}, rows.reshape(weight.shape)


def glora(random, weight):
    out, into, *kernel = weight.shape
    ones = [1 for _ in kernel]
    a1, a2, b1 = random(into, RANK, *ones), random(RANK, into, *ones), random(out, RANK, *ones)
    b2 = random(RANK, into, *kernel)
    inner = a1.flatten(1) @ a2.flatten(1)
    delta = torch.einsum("oi...,ij->oj...", weight, inner)
    delta = delta + (b1.flatten(1) @ b2.flatten(1)).reshape(weight.shape)
    fields = {"a1.weight": a1, "a2.weight": a2, "b1.weight": b1, "b2.weight": b2}
    return fields | {"alpha": torch.tensor(ALPHA)}, weight + delta * ALPHA / RANK


def old_glora(random, weight):
    """The first version's names: what is 1 today was 2."""
    fields, merged = glora(random, weight)
    exchanged = {"a1": "a2", "a2": "a1", "b1": "b2", "b2": "b1"}
    return {exchanged.get(n[:2], n[:2]) + n[2:]: v for n, v in fields.items()}, merged


def ia3_of_inputs(random, weight):
    factors = random(weight.shape[1])
    shape = (1, -1, *(1 for _ in weight.shape[2:]))
    fields = {"weight": factors.reshape(shape) if weight.ndim == 4 else factors}
    return fields | {"on_input": torch.tensor(1)}, weight * (1 + factors.reshape(shape))


def ia3_of_outputs(random, weight):
    factors = random(len(weight))
    fields = {"weight": factors.reshape(1, -1, *(1 for _ in weight.shape[2:])).squeeze(0)}
    shape = (-1, *(1 for _ in weight.shape[1:]))
    return fields | {"on_input": torch.tensor(0)}, weight * (1 + factors.reshape(shape))


def scaled_low_rank(random, weight):
    """A scale of its own, and a scalar that was trained beside the weights."""
    fields, delta = low_rank(random, weight)
    numbers = {"scale": torch.tensor(0.25), "scalar": torch.tensor(3.0)}
    return fields | numbers, weight + delta * RANK / ALPHA * 0.75


def whole_with_low_rank(random, weight):
    fields, delta = low_rank(random, weight)
    whole = random(*weight.shape)
    return fields | {"diff": whole}, weight + delta + whole


METHODS = (
    *(dora_of_outputs, dora_of_inputs, dora_of_peft, dora_of_hadamard),
    *(oft_of_kohya, constrained_oft, diagonal_oft, butterfly_oft),
    *(glora, old_glora, ia3_of_inputs, ia3_of_outputs),
    *(scaled_low_rank, whole_with_low_rank),
)


def call(unet):
    generator = torch.Generator().manual_seed(8)
    x = torch.randn(2, 4, 8, 8, generator=generator)
    text = torch.randn(2, 16, 32, generator=generator)
    with torch.inference_mode():
        return unet(x, torch.tensor([10.0, 700.0]), text).sample


def call_beside(unet, path, strength):
    side = ActiveLoras([(LoraTag("style", 1.0, strength), load_lora(path, unet, ()))])
    with side.applied_to_unet(unet):
        return call(unet)


def call_merged(unet, changes, strength):
    """Run a copy of the network whose parameters went this far towards others."""
    other = copy.deepcopy(unet)
    parameters = dict(other.named_parameters())
    with torch.no_grad():
        for name, merged in changes.items():
            if name not in parameters:  # a layer that has no bias gets one
                layer, _, _ = name.rpartition(".")
                other.get_submodule(layer).bias = torch.nn.Parameter(strength * merged)
            else:
                parameters[name] += strength * (merged - parameters[name])
    return call(other)


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("make", METHODS)
def test_beside_the_network_equals_merged_into_it(make_parts, random, save, make, layer):
    unet = make_parts("sd1").unet
    fields, merged = make(random, unet.get_submodule(layer).weight.detach())
    path = save({f"{kohya(layer)}.{name}": value for name, value in fields.items()})
    before, beside = call(unet), call_beside(unet, path, 0.7)
    expected = call_merged(unet, {f"{layer}.weight": merged}, 0.7)

    assert torch.allclose(beside, expected, atol=2e-5)
    assert (beside - before).abs().max() > 1e-4
    assert load_lora(path, unet, ()).unused_names == ()
    assert torch.equal(call(unet), before)


@pytest.mark.parametrize("make", [low_rank, *METHODS])
def test_methods_run_beside_a_network_that_comes_block_by_block(make_parts, random, save, make):
    """The meta device stands for a graphics card, the processor for where weights are parked."""
    unet, card = make_parts("sd1").unet, torch.device("meta")
    layers = ("conv_in", LINEAR, "time_embedding.linear_1")
    named = {
        f"{kohya(layer)}.{name}": value
        for layer in layers
        for name, value in make(random, unet.get_submodule(layer).weight.detach())[0].items()
    }
    norm = {f"{kohya('conv_norm_out')}.w_norm": random(16)}
    offload = OffloadManager({UNET: [unet]}, card, park=torch.device("cpu"), level="lowvram")
    file = load_lora(save(named | norm), unet, (), card)
    offload.prepare_part(UNET, 1)
    inputs = (torch.zeros(2, 4, 8, 8), torch.zeros(2), torch.zeros(2, 16, 32))
    side = ActiveLoras([(LoraTag("style", 1.0, 0.7), file)])
    with torch.inference_mode(), side.applied_to_unet(unet):
        output = unet(*(value.to(card) for value in inputs)).sample

    assert (output.shape, output.device) == ((2, 4, 8, 8), card)
    assert {weight.device.type for weight in unet.parameters()} == {"cpu"}


@pytest.mark.parametrize("shape", [(), (1,), (0,), (3, 5), (2, 3, 5), (2, 3, 5, 7)])
@pytest.mark.parametrize("make", [low_rank, *METHODS])
def test_weights_of_any_other_shape_are_refused_in_words(make_parts, random, save, make, shape):
    unet = make_parts("sd1").unet
    fields, _ = make(random, unet.get_submodule(CONV).weight.detach())
    for changed in fields:
        state = fields | {changed: torch.ones(shape)}
        path = save({f"{kohya(CONV)}.{name}": value for name, value in state.items()})
        try:
            beside = call_beside(unet, path, 1.0)
        except ModelError as error:
            assert error.notice.code in ("weights.layer_misfit", "weights.layer_lacks")
        else:  # one number may stand for many
            assert beside.shape == (2, 4, 8, 8)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float8_e4m3fn])
@pytest.mark.parametrize("make", [low_rank, dora_of_outputs, oft_of_kohya, glora])
def test_every_number_format_is_read(make_parts, random, save, make, dtype):
    unet = make_parts("sd1").unet
    fields, _ = make(random, unet.get_submodule(LINEAR).weight.detach())
    named = {f"{kohya(LINEAR)}.{name}": value.to(dtype) for name, value in fields.items()}
    rough = call_beside(unet, save(named), 1.0)
    same = {name: value.float() for name, value in named.items()}

    assert torch.allclose(rough, call_beside(unet, save(same), 1.0), atol=2e-5)


@pytest.mark.parametrize("layer", [WITH_BIAS, LINEAR, CONV])
def test_a_change_of_the_bias_acts(make_parts, random, save, layer):
    unet = make_parts("sd1").unet
    part = unet.get_submodule(layer)
    fields, delta = low_rank(random, part.weight.detach())
    change = random(len(part.weight))
    path = save({f"{kohya(layer)}.{n}": v for n, v in (fields | {"diff_b": change}).items()})
    bias = torch.zeros(len(change)) if part.bias is None else part.bias.detach()
    changes = {f"{layer}.weight": part.weight.detach() + delta, f"{layer}.bias": bias + change}

    assert torch.allclose(call_beside(unet, path, 0.6), call_merged(unet, changes, 0.6), atol=2e-5)
    assert load_lora(path, unet, ()).unused_names == ()


def test_a_bias_of_peft_is_scaled_as_its_weights(make_parts, random, save):
    unet = make_parts("sd1").unet
    part = unet.get_submodule(WITH_BIAS)
    fields, delta = low_rank(random, part.weight.detach())
    change = random(len(part.weight))
    named = {
        f"unet.{WITH_BIAS}.lora_A.weight": fields["lora_down.weight"],
        f"unet.{WITH_BIAS}.lora_B.weight": fields["lora_up.weight"],
        f"unet.{WITH_BIAS}.lora_B.bias": change,
        f"unet.{WITH_BIAS}.alpha": torch.tensor(ALPHA),
    }
    changes = {
        f"{WITH_BIAS}.weight": part.weight.detach() + delta,
        f"{WITH_BIAS}.bias": part.bias.detach() + change * ALPHA / RANK,
    }

    assert torch.allclose(
        call_beside(unet, save(named), 1.0), call_merged(unet, changes, 1.0), atol=2e-5
    )


@pytest.mark.parametrize("layer", [GROUP_NORM, LAYER_NORM])
@pytest.mark.parametrize("names", [("w_norm", "b_norm"), ("w_norm",), ("diff", "diff_b")])
def test_changes_of_norms_act(make_parts, random, save, layer, names):
    unet = make_parts("sd1").unet
    part = unet.get_submodule(layer)
    changes = {name: random(len(part.weight)) for name in names}
    path = save({f"{kohya(layer)}.{name}": value for name, value in changes.items()})
    merged = {f"{layer}.weight": part.weight.detach() + changes[names[0]]}
    if len(names) == 2:
        merged[f"{layer}.bias"] = part.bias.detach() + changes[names[1]]

    assert torch.allclose(call_beside(unet, path, 0.6), call_merged(unet, merged, 0.6), atol=2e-5)


@pytest.mark.parametrize(
    ("field", "words"),
    [
        ("oft_R.weight", "OFT as peft writes it"),
        ("boft_R", "BOFT as peft writes it"),
        ("ia3_l", "(IA)³ as peft writes it"),
        ("lora_E", "AdaLoRA"),
        ("lambda_layer", "T-LoRA"),
        ("q_layer.weight", "“q_layer.weight”"),
    ],
)
def test_a_method_that_is_not_run_is_refused_by_its_name(make_parts, random, save, field, words):
    path = save({f"{kohya(LINEAR)}.{field}": random(2, 2)})
    with pytest.raises(UnsupportedWeights) as raised:
        load_lora(path, make_parts("sd1").unet, ())

    assert raised.value.notice.params["method"] == words


def test_a_lora_of_the_first_layer_fits_an_inpainting_network(make_parts, random, save):
    fields, _ = low_rank(random, torch.zeros(16, 4, 3, 3))
    path = save({f"lora_unet_conv_in.{name}": value for name, value in fields.items()})
    whole = load_lora(path, make_parts("sd1").unet, ()).branches["unet", "conv_in"]
    inpaint = load_lora(path, make_parts("sd1", channels=9).unet, ()).branches["unet", "conv_in"]
    delta = inpaint[0].weight_delta(torch.zeros(16, 9, 3, 3))

    assert torch.equal(delta[:, :4], whole[0].weight_delta(torch.zeros(16, 4, 3, 3)))
    assert torch.equal(delta[:, 4:], torch.zeros(16, 5, 3, 3))
