import pytest

from tools.starter import vocabulary

NAMES = ("red apple", "evergreen tree", "t rex")


@pytest.fixture(scope="module")
def tokenizer():
    return vocabulary.build_tokenizer(NAMES)


def test_each_caption_word_is_one_token(tokenizer):
    for word in vocabulary.vocabulary_words(NAMES):
        assert len(tokenizer(word).input_ids) == 3, word


def test_the_end_token_has_the_last_id_and_pads(tokenizer):
    assert len(tokenizer) - 1 == tokenizer.eos_token_id == tokenizer.pad_token_id
    (row,) = vocabulary.encode(tokenizer, ["red apple"])
    assert len(row) == vocabulary.LENGTH
    assert [tokenizer.eos_token_id] * (vocabulary.LENGTH - 3) == row[3:]


def test_unknown_words_fall_back_to_pieces(tokenizer):
    pieces = tokenizer.convert_ids_to_tokens(tokenizer("zorblax").input_ids)[1:-1]
    assert "".join(pieces).removesuffix(vocabulary.END_OF_WORD) == "zorblax"
    assert tokenizer.eos_token not in pieces


def test_long_prompts_are_cut_and_still_end(tokenizer):
    (row,) = vocabulary.encode(tokenizer, ["apple " * 100])
    assert len(row) == vocabulary.LENGTH
    assert tokenizer.eos_token_id == row[-1]
