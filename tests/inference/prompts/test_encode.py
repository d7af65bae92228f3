from __future__ import annotations

import pytest
import torch
from torch import Tensor
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from inference.api.errors import JobError
from inference.prompts.chunks import Tokenizer
from inference.prompts.conditioning import pad_conditionings, pad_to_length
from inference.prompts.encode import TextEncoder, sdxl_encoder

WORDS = {
    word: number
    for number, word in enumerate(["red", "fox", "on", "a", "white", "cat", "dog", ","], 5)
}
BOS, EOS, WIDTH, LAYERS = 97, 98, 16, 3


def ids(text: str) -> list[int]:
    spaced = text.lower().replace(",", " , ")
    return [WORDS.get(word, 3) for word in spaced.split()]


def tokenizer(length: int = 10) -> Tokenizer:
    return Tokenizer(ids, BOS, EOS, EOS, length, WORDS[","])


def config(width: int = WIDTH) -> CLIPTextConfig:
    return CLIPTextConfig(
        vocab_size=99,
        hidden_size=width,
        intermediate_size=32,
        num_hidden_layers=LAYERS,
        num_attention_heads=2,
        max_position_embeddings=77,
        projection_dim=12,
        bos_token_id=BOS,
        eos_token_id=EOS,
        pad_token_id=EOS,
    )


def build(kind: type, seed: int, width: int = WIDTH) -> torch.nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = kind(config(width)).eval()
        for parameter in model.parameters():
            torch.nn.init.normal_(parameter, std=0.3)
    return model


@pytest.fixture(scope="module")
def model() -> torch.nn.Module:
    return build(CLIPTextModel, 1)


def row(content: list[int], length: int = 10) -> Tensor:
    return torch.tensor([[BOS, *content, *[EOS] * (length - 1 - len(content))]])


@torch.inference_mode()
def forward(model: torch.nn.Module, tokens: Tensor) -> Tensor:
    return model(input_ids=tokens).last_hidden_state[0]


def test_a_plain_prompt_is_the_models_own_output(model: torch.nn.Module) -> None:
    encoder = TextEncoder(tokenizer(), model)

    expected = forward(model, row(ids("red fox, white")))

    assert torch.equal(expected, encoder.encode_prompt("red fox, white"))
    assert encoder.encode_prompt("red fox").dtype == torch.float32


@pytest.mark.parametrize("skip", [1, 2, 3])
def test_clip_skip_reads_an_earlier_layer_through_the_final_norm(
    model: torch.nn.Module, skip: int
) -> None:
    with torch.inference_mode():
        states = model.embeddings(row(ids("a cat")))
        mask = torch.full((10, 10), float("-inf")).triu(1)[None, None]
        for layer in list(model.encoder.layers)[: LAYERS - skip + 1]:
            states = layer(states, mask)
        expected = model.final_layer_norm(states)[0]

    actual = TextEncoder(tokenizer(), model, clip_skip=skip).encode_prompt("a cat")

    torch.testing.assert_close(actual, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("skip", [0, -1, 4])
def test_a_clip_skip_without_a_layer_is_refused(model: torch.nn.Module, skip: int) -> None:
    with pytest.raises(JobError, match="1 to 3"):
        TextEncoder(tokenizer(), model, clip_skip=skip)


def test_break_begins_a_second_chunk(model: torch.nn.Module) -> None:
    encoder = TextEncoder(tokenizer(), model)

    actual = encoder.encode_prompt("cat BREAK dog")

    expected = torch.cat([forward(model, row(ids("cat"))), forward(model, row(ids("dog")))])
    torch.testing.assert_close(actual, expected, atol=1e-5, rtol=1e-5)


def test_original_emphasis_weighs_tokens_and_keeps_the_mean(model: torch.nn.Module) -> None:
    plain = TextEncoder(tokenizer(), model).encode_prompt("red fox")
    weights = torch.tensor([1, 1, 1.5, *[1] * 7])[:, None]

    original = TextEncoder(tokenizer(), model).encode_prompt("red (fox:1.5)")
    raw = TextEncoder(tokenizer(), model, emphasis="No norm").encode_prompt("red (fox:1.5)")

    torch.testing.assert_close(raw, plain * weights)
    torch.testing.assert_close(original.mean(), plain.mean())
    torch.testing.assert_close(original, raw * (plain.mean() / raw.mean()))


def test_each_chunk_keeps_its_own_mean(model: torch.nn.Module) -> None:
    encoder = TextEncoder(tokenizer(), model)

    plain, weighted = (
        encoder.encode_prompt("cat BREAK dog"),
        encoder.encode_prompt("cat BREAK (dog:1.3)"),
    )

    assert torch.equal(plain[:10], weighted[:10])
    torch.testing.assert_close(plain[10:].mean(), weighted[10:].mean())


def test_emphasis_modes_without_weights(model: torch.nn.Module) -> None:
    def encode(text: str, emphasis: str) -> Tensor:
        return TextEncoder(tokenizer(), model, emphasis=emphasis).encode_prompt(text)

    assert torch.equal(encode("red fox", "Original"), encode("red (fox:1.5)", "Ignore"))
    assert torch.equal(forward(model, row([5, 3])), encode("red (fox:1.5)", "None"))


def test_huge_weights_stay_finite(model: torch.nn.Module) -> None:
    text = "(" * 2000 + "cat"

    assert TextEncoder(tokenizer(), model).encode_prompt(text).isfinite().all()


def test_embeddings_lie_where_their_name_stood(model: torch.nn.Module) -> None:
    vectors = {
        "inky": model.embeddings.token_embedding.weight[[WORDS["red"], WORDS["cat"]]].detach()
    }

    encoder = TextEncoder(tokenizer(), model, embeddings=vectors)

    assert torch.equal(encoder.encode_prompt("a red cat dog"), encoder.encode_prompt("a Inky dog"))
    assert torch.equal(forward(model, row(ids("a dog"))), encoder.encode_prompt("a dog"))


def test_an_embedding_of_another_width_is_refused(model: torch.nn.Module) -> None:
    with pytest.raises(JobError, match="another model family"):
        TextEncoder(tokenizer(), model, embeddings={"inky": torch.zeros(2, WIDTH + 1)})


def test_a_float16_model_gives_float32() -> None:
    encoder = TextEncoder(tokenizer(), build(CLIPTextModel, 1).to(torch.bfloat16))

    assert encoder.encode_prompt("(cat:1.2)").dtype == torch.float32


def test_sdxl_joins_penultimate_layers_and_pools_the_second() -> None:
    first, second = build(CLIPTextModel, 1), build(CLIPTextModelWithProjection, 2, width=24)
    encoder = sdxl_encoder((tokenizer(), tokenizer()), (first, second))

    actual = encoder.encode_pooled("red fox")

    with torch.inference_mode():
        one, two = (
            network(input_ids=row(ids("red fox")), output_hidden_states=True)
            for network in (first, second)
        )
    joined = torch.cat([one.hidden_states[-2], two.hidden_states[-2]], -1)[0]
    assert torch.equal(joined, actual.crossattn)
    assert torch.equal(two.text_embeds[0], actual.pooled)
    assert tuple(encoder.encode_empty().shape) == (10, WIDTH + 24)


def test_the_pooled_vector_is_the_projected_state_of_the_first_end_token() -> None:
    model = build(CLIPTextModelWithProjection, 2)

    actual = TextEncoder(tokenizer(), model).encode_pooled("red fox BREAK dog").pooled

    with torch.inference_mode():
        states = forward(model.text_model, row(ids("red fox")))
        expected = model.text_projection(states[3])
    torch.testing.assert_close(actual, expected, atol=1e-5, rtol=1e-5)


def test_shorter_prompts_are_padded_with_the_empty_chunk(model: torch.nn.Module) -> None:
    encoder = TextEncoder(tokenizer(), model)
    short, long = encoder.encode_prompt("cat"), encoder.encode_prompt("cat BREAK dog BREAK fox")

    both = pad_conditionings([short, long], encoder.encode_empty())

    assert tuple(both.shape) == (2, 30, WIDTH)
    assert torch.equal(long, both[1])
    assert torch.equal(torch.cat([short, encoder.encode_empty(), encoder.encode_empty()]), both[0])


@pytest.mark.parametrize("length", [5, 15])
def test_padding_by_half_a_chunk_is_refused(model: torch.nn.Module, length: int) -> None:
    encoder = TextEncoder(tokenizer(), model)

    with pytest.raises(ValueError, match="cannot be padded"):
        pad_to_length(encoder.encode_prompt("cat"), length, encoder.encode_empty())


def test_a_prompt_of_six_thousand_characters_encodes(model: torch.nn.Module) -> None:
    encoder = TextEncoder(tokenizer(77), model)
    text = ("(red fox:1.1), on a white cat, [dog] BREAK " * 200)[:6000]

    encoded = encoder.encode_prompt(text)

    assert len(encoded) % 77 == 0
    assert encoded.isfinite().all()
