"""Networks that restore: what files say of them, and what their weights and inputs do."""

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from spandrel.architectures.GFPGAN import GFPGAN

from inference.model_files.errors import BrokenOutput, CorruptWeights, MissingWeights
from inference.model_files.identity import identify_file
from inference.restoration import networks
from inference.restoration.networks import GFPGAN_SETTINGS, build_gfpgan, face_side, load_restorer
from tests.inference.operations.conftest import gradient
from tests.inference.restoration.conftest import (
    TINY_SIDE,
    save_codeformer,
    save_ddcolor,
    save_gfpgan,
)

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def gfpgan_path(tmp_path_factory):
    return save_gfpgan(tmp_path_factory.mktemp("faces") / "gfpgan.safetensors")


def test_a_file_says_what_it_restores(tmp_path, gfpgan_path):
    paths = (
        gfpgan_path,
        save_codeformer(tmp_path / "c.safetensors"),
        save_ddcolor(tmp_path / "d.safetensors"),
    )
    types = [identify_file(path) for path in paths]
    assert [(file_type.kind, file_type.architecture) for file_type in types] == [
        ("face_restorer", "GFPGAN"),
        ("face_restorer", "CodeFormer"),
        ("colouriser", "DDColor"),
    ]


def test_the_published_gfpgan_is_built_by_its_shapes():
    with torch.device("meta"):
        published = GFPGAN(**GFPGAN_SETTINGS, out_size=512, num_style_feat=512, num_mlp=8, narrow=1)
        shapes = {name: tuple(array.shape) for name, array in published.state_dict().items()}
        built = build_gfpgan(shapes).state_dict()
    assert face_side(shapes, "GFPGAN") == 512
    assert {name: tuple(array.shape) for name, array in built.items()} == shapes


def test_faces_go_through_as_the_network_itself_has_them(gfpgan_path):
    network = load_restorer(gfpgan_path, "GFPGAN", CPU)
    face = gradient(TINY_SIDE, TINY_SIDE)
    (restored,) = network.restore_faces([face], 0.5)
    own = GFPGAN(**GFPGAN_SETTINGS, out_size=TINY_SIDE, num_style_feat=16, num_mlp=2, narrow=1 / 16)
    own.load_state_dict(load_file(gfpgan_path))
    values = torch.from_numpy(np.asarray(face, np.float32)).permute(2, 0, 1)[None] / 127.5 - 1
    with torch.inference_mode():
        output = own.eval()(values, return_rgb=False, randomize_noise=False)[0]
    expected = ((output[0].clamp(-1, 1) + 1) * 127.5).round().permute(1, 2, 0).numpy()
    assert np.abs(np.asarray(restored, int) - expected).max() <= 1
    assert np.asarray(restored).std() > 1


def test_a_face_is_the_same_each_time_and_beside_others(gfpgan_path):
    network = load_restorer(gfpgan_path, "GFPGAN", CPU)
    faces = [gradient(TINY_SIDE, TINY_SIDE), Image.new("RGB", (TINY_SIDE, TINY_SIDE), "teal")]
    alone = [network.restore_faces([face], 0.5)[0] for face in faces]
    together = network.restore_faces(faces, 0.5)
    for first, second in zip(alone, together, strict=True):
        assert np.abs(np.asarray(first, int) - np.asarray(second, int)).max() <= 1


def test_numbers_that_are_no_picture_are_an_error(gfpgan_path, tmp_path):
    state = load_file(gfpgan_path)
    state["final_linear.bias"][:] = float("nan")
    save_file(state, tmp_path / "nan.safetensors")
    network = load_restorer(tmp_path / "nan.safetensors", "GFPGAN", CPU)
    with pytest.raises(BrokenOutput, match="no picture"):
        network.restore_faces([gradient(TINY_SIDE, TINY_SIDE)], 0.5)


def test_arrays_that_do_not_fit_are_an_error(gfpgan_path, tmp_path):
    state = load_file(gfpgan_path)
    state["condition_scale.0.0.weight"] = torch.zeros(3)
    save_file(state, tmp_path / "odd.safetensors")
    with pytest.raises(CorruptWeights, match="odd"):
        load_restorer(tmp_path / "odd.safetensors", "GFPGAN", CPU)


def test_without_the_second_package_it_is_said(tmp_path, monkeypatch):
    path = save_codeformer(tmp_path / "c.safetensors")
    monkeypatch.setattr(networks, "find_spec", lambda name: None)
    with pytest.raises(MissingWeights, match=r"easel-bot\[restore\]"):
        load_restorer(path, "CodeFormer", CPU)


def test_a_codeformer_is_given_its_weight(tmp_path):
    network = load_restorer(save_codeformer(tmp_path / "c.safetensors"), "CodeFormer", CPU)
    assert network.side == 512
    calls = []

    def note_call(_module, inputs, options):
        calls.append((inputs[0].shape, options))
        raise StopIteration  # what follows is half a minute of a processor

    network.model.register_forward_pre_hook(note_call, with_kwargs=True)
    with pytest.raises(StopIteration):
        network.restore_faces([gradient(512, 512)], 0.25)
    assert calls == [((1, 3, 512, 512), {"weight": 0.25})]


def test_colours_come_and_the_lightness_stays(tmp_path):
    network = load_restorer(save_ddcolor(tmp_path / "d.safetensors"), "DDColor", CPU)
    grey = gradient(96, 64).convert("L")
    coloured = network.colourise_image(grey.convert("RGB"))
    again = network.colourise_image(Image.merge("RGB", [grey] * 3))
    assert coloured.size == grey.size
    assert coloured.tobytes() == again.tobytes()
    pixels = np.asarray(coloured, int)
    assert (pixels.max(axis=-1) - pixels.min(axis=-1)).max() > 5
