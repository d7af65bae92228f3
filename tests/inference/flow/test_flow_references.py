"""Edits by instruction: pictures that a flow transformer looks at while it paints another."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from diffusers.pipelines.qwenimage import pipeline_qwenimage_edit, pipeline_qwenimage_edit_plus
from PIL import Image
from transformers import Qwen2VLImageProcessorPil

from inference.engine.partial_results import fingerprint_work
from tests.inference.flow.test_flow_oracle import (
    NEGATIVE,
    SIDE,
    TOLERANCE,
    from_cells,
    in_cells,
    largest_difference,
    make_noise,
    make_work,
)

#: Sizes of the pictures that are looked at.
SIZES = ((96, 64), (64, 80), (80, 80))
INSTRUCTION = "a red apple on the white table with the sky"
#: What each editing checkpoint is asked with, ours and the pipeline's.
EDITING = {
    "kontext": (2.5, {"guidance_scale": 2.5, "max_area": SIDE * SIDE // 2, "_auto_resize": False}),
    "klein": (1.0, {"guidance_scale": 1.0}),
    "klein-base": (4.0, {"guidance_scale": 4.0}),
    "qwen-edit-plus": (4.0, {"true_cfg_scale": 4.0}),
}


def draw_picture(size, seed):
    values = np.random.default_rng(seed).integers(0, 256, (5, 5, 3), dtype=np.uint8)
    return Image.fromarray(values).resize(size, Image.Resampling.BICUBIC)


@pytest.fixture(scope="module")
def pictures():
    return tuple(draw_picture(size, seed) for seed, size in enumerate(SIZES))


@pytest.mark.parametrize(
    ("name", "count"),
    [("kontext", 1), ("klein", 1), ("klein", 3), ("klein-base", 2)],
)
def test_an_edit_equals_the_pipeline(
    name, count, denoise_rows, load_pipeline, flow_library, pictures
):
    guidance, settings = EDITING[name]
    references = pictures[:count]
    (mine,) = denoise_rows(
        make_work(
            name, prompt=INSTRUCTION, negative_prompt="", guidance=guidance, references=references
        )
    )
    if name.startswith("klein"):  # whose pipeline gives the autoencoder's latents
        mine = flow_library.get_checkpoint(name).unscale_latents(mine[None])[0]
    reference = load_pipeline(name)(
        prompt=INSTRUCTION,
        image=references[0] if name == "kontext" else list(references),
        width=SIDE,
        height=SIDE // 2,
        num_inference_steps=4,
        latents=from_cells(make_noise(), name),
        output_type="latent",
        **settings,
    ).images
    assert largest_difference(mine, in_cells(reference, name)) <= TOLERANCE


@pytest.mark.parametrize(("name", "count"), [("qwen-edit", 1), ("qwen-edit-plus", 2)])
@pytest.mark.parametrize("guidance", [1.0, 4.0])
def test_an_edit_of_qwen_equals_the_pipeline(
    name, count, guidance, denoise_rows, load_pipeline, flow_models, monkeypatch
):
    references = (draw_picture((96, 64), 1), draw_picture((64, 96), 2))[:count]
    (mine,) = denoise_rows(
        make_work(name, prompt=INSTRUCTION, guidance=guidance, references=references)
    )
    monkeypatch.setattr(pipeline_qwenimage_edit, "calculate_dimensions", lambda *_: (96, 64, None))
    monkeypatch.setattr(pipeline_qwenimage_edit_plus, "VAE_IMAGE_SIZE", 96 * 64)
    pipeline = load_pipeline(name)
    pipeline.processor.image_processor = Qwen2VLImageProcessorPil.from_pretrained(
        flow_models / name / "processor"
    )
    show_places(pipeline.text_encoder)
    reference = pipeline(
        prompt=INSTRUCTION,
        negative_prompt=NEGATIVE,
        image=references[0] if count == 1 else list(references),
        width=SIDE,
        height=SIDE // 2,
        num_inference_steps=4,
        latents=from_cells(make_noise(), name),
        true_cfg_scale=guidance,
        output_type="latent",
    ).images
    assert largest_difference(mine, in_cells(reference, name)) <= TOLERANCE


def show_places(text_encoder):
    """Tell a text model where pictures stand in a text, as older versions of it saw by itself."""
    real_forward = text_encoder.forward

    def forward(*, input_ids, **named):
        kinds = (input_ids == text_encoder.config.image_token_id).int()
        return real_forward(input_ids=input_ids, mm_token_type_ids=kinds, **named)

    text_encoder.forward = forward


@pytest.mark.parametrize("name", EDITING)
def test_a_reference_changes_the_picture(name, denoise_rows, pictures):
    answers = denoise_rows(
        make_work(name),
        make_work(name, references=pictures[:1]),
        make_work(name, references=(draw_picture(SIZES[0], 9),)),
    )
    for one, other in itertools.pairwise(answers):
        assert (one - other).abs().max() > 5 * TOLERANCE


@pytest.mark.parametrize("name", EDITING)
def test_rows_with_references_in_one_batch_equal_rows_alone(name, denoise_rows, pictures):
    """Steps, seeds, texts, pictures, masks and starts differ; some see more than others."""
    mask = np.zeros((SIDE // 16, SIDE // 8), dtype=np.float32)
    mask[2:6, 4:12] = 1
    source = draw_picture((SIDE, SIDE // 2), 12)
    more = {"references": pictures[:2]} if name != "kontext" else {"references": pictures[1:2]}
    works = [
        make_work(name, seed=1, steps=3, references=pictures[:1], guidance=2.0),
        make_work(name, seed=2, steps=5, references=(draw_picture(SIZES[0], 5),), guidance=4.0),
        make_work(name, seed=3, steps=4, prompt="a cat", guidance=3.0, **more),
        make_work(name, seed=4, steps=4, prompt="the sky", guidance=2.0),
        make_work(
            name, seed=5, references=pictures[:1], image=source, strength=1.0, mask=mask, guidance=2
        ),
    ]
    together = denoise_rows(*works)
    for work, mine in zip(works, together, strict=True):
        (alone,) = denoise_rows(work)
        assert float((mine - alone).abs().max()) <= 1e-3


def test_only_rows_with_pictures_of_the_same_sizes_share_calls(
    denoise_rows, flow_library, monkeypatch, pictures
):
    network = flow_library.get_checkpoint("klein").network
    calls = []
    real_forward = network.forward

    def note_tokens(*arguments, **named):
        calls.append(tuple(named["hidden_states"].shape[:2]))
        return real_forward(*arguments, **named)

    monkeypatch.setattr(network, "forward", note_tokens)
    denoise_rows(
        make_work("klein", seed=1, references=pictures[:1]),
        make_work("klein", seed=2, references=(draw_picture(SIZES[0], 4),), prompt="a cat"),
        make_work("klein", seed=3, references=pictures[1:2]),
        make_work("klein", seed=4),
    )
    own, *others = (SIDE * SIDE // 512, *(width * height // 256 for width, height in SIZES[:2]))
    expected = {(2, own + others[0]): 4, (1, own + others[1]): 4, (1, own): 4}
    assert {call: calls.count(call) for call in calls} == expected


def test_entries_of_one_row_go_apart_with_their_pictures(flow_library, pictures):
    from inference.engine.batch import Batch
    from inference.engine.prepare import prepare_rows

    model = flow_library.get_checkpoint("klein-base")
    work = make_work("klein-base", guidance=3.0, references=pictures[:2])
    batch = Batch.gather(prepare_rows([work, work], model, [None, None]), model.device)
    parts = batch.split_entries(1)
    assert [len(part.references) for part in parts] == [2] * 4
    for place, whole in enumerate(batch.references):
        assert torch.equal(torch.cat([part.references[place] for part in parts]), whole)


def test_a_part_is_known_by_the_pictures_it_saw(pictures):
    works = [
        make_work("klein", references=references, part=0)
        for references in (pictures[:1], (pictures[0].copy(),), pictures[1:2], pictures[:2], ())
    ]
    marks = [fingerprint_work(work) for work in works]
    assert marks[0] == marks[1]
    assert len(set(marks)) == 4


@pytest.mark.parametrize(
    ("name", "count", "guidance"),
    [
        ("flux-dev", 0, 3.5),
        ("kontext", 1, 2.5),
        ("klein", 4, 1.0),
        ("z-image", 0, 1.0),
        ("qwen", 0, 1.0),
        ("qwen-edit", 1, 1.0),
        ("qwen-edit-plus", 3, 1.0),
    ],
)
def test_an_editing_checkpoint_is_told_by_its_index(name, count, guidance, flow_library):
    model = flow_library.get_checkpoint(name)
    assert model.max_references == count
    assert model.own_guidance == guidance
