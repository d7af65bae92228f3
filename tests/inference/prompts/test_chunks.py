from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.api.errors import JobError
from inference.api.prompts.attention import ChunkBreak, WeightedText, parse_attention
from inference.prompts.chunks import (
    ChunkText,
    EmbeddingPlacement,
    TokenChunk,
    Tokenizer,
    chunk_pieces,
    chunk_texts,
)

BOS, EOS, PAD, COMMA = 1, 2, 0, 9


def ids(text: str) -> list[int]:
    """One token a word: its own number, or a comma."""
    return [COMMA if word == "," else int(word) for word in text.replace(",", " , ").split()]


CLIP = Tokenizer(ids, BOS, EOS, PAD, 77, COMMA)
SMALL = Tokenizer(ids, BOS, EOS, PAD, 8, COMMA)


def content(chunk: TokenChunk) -> list[int]:
    return list(chunk.tokens[1 : 1 + chunk.content])


def words(count: int, start: int = 100) -> str:
    return " ".join(str(start + number) for number in range(count))


def test_no_text_is_one_empty_row() -> None:
    (chunk,) = chunk_pieces((), SMALL)

    assert chunk == TokenChunk((BOS, EOS, PAD, PAD, PAD, PAD, PAD, PAD), (1.0,) * 8)


def test_a_row_has_start_content_end_and_padding() -> None:
    (chunk,) = chunk_pieces([WeightedText("10 11"), WeightedText("12", 1.5)], SMALL)

    assert chunk.tokens == (BOS, 10, 11, 12, EOS, PAD, PAD, PAD)
    assert chunk.weights == (1.0, 1.0, 1.0, 1.5, 1.0, 1.0, 1.0, 1.0)


@pytest.mark.parametrize(("count", "rows"), [(75, [75]), (76, [75, 1]), (151, [75, 75, 1])])
def test_rows_hold_seventy_five(count: int, rows: list[int]) -> None:
    chunks = chunk_pieces([WeightedText(words(count))], CLIP)

    assert [chunk.content for chunk in chunks] == rows
    assert all(len(chunk.tokens) == len(chunk.weights) == 77 for chunk in chunks)


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("10 BREAK 11", [[10], [11]]),
        ("BREAK 10", [[], [10]]),
        ("10 BREAK", [[10]]),
        ("10 BREAK BREAK 11", [[10], [], [11]]),
        ("BREAK", [[]]),
    ],
)
def test_break_ends_a_row(text: str, rows: list[list[int]]) -> None:
    assert [content(chunk) for chunk in chunk_pieces(parse_attention(text), SMALL)] == rows


@pytest.mark.parametrize(("before", "after", "moved"), [(55, 19, 19), (54, 20, 0), (74, 0, 0)])
def test_the_tail_behind_a_near_comma_moves(before: int, after: int, moved: int) -> None:
    text = f"{words(before)}, {words(after, 500)} 999"

    first, second = chunk_pieces([WeightedText(text)], CLIP)

    assert 75 - moved == first.content
    assert [*range(500 + after - moved, 500 + after), 999] == content(second)


def test_a_full_row_before_a_comma_stays_whole() -> None:
    first, second = chunk_pieces([WeightedText(f"{words(60)}, {words(14)}, 7")], CLIP)

    assert first.content == 75
    assert content(second) == [COMMA, 7]


def test_reach_zero_never_moves() -> None:
    first, _ = chunk_pieces([WeightedText(f"{words(70)}, {words(9)}")], CLIP, reach=0)

    assert first.content == 75


def test_weights_move_with_their_tokens() -> None:
    _, second = chunk_pieces(
        [WeightedText("1 2 3 ,"), WeightedText("4 5", 0.5), WeightedText("6", 2.0)], SMALL
    )

    assert second.weights == (1.0, 0.5, 0.5, 2.0, 1.0, 1.0, 1.0, 1.0)


def test_embeddings_take_their_vectors_and_weight() -> None:
    (chunk,) = chunk_pieces([WeightedText("10 Inky 11", 1.2)], SMALL, embeddings={"inky": 3})

    assert chunk.placements == (EmbeddingPlacement("inky", 2, 3),)
    assert chunk.tokens == (BOS, 10, 0, 0, 0, 11, EOS, PAD)
    assert (1.0, *(1.2,) * 5, 1.0, 1.0) == chunk.weights


def test_an_embedding_is_never_split() -> None:
    first, second = chunk_pieces(
        [WeightedText("10 11 12 13 14 inky")], SMALL, embeddings={"inky": 2}
    )

    assert (content(first), first.placements) == ([10, 11, 12, 13, 14], ())
    assert second.placements == (EmbeddingPlacement("inky", 1, 2),)


def test_an_embedding_and_a_tail_that_do_not_fit_together_part() -> None:
    chunks = chunk_pieces([WeightedText("10 11, 12 13 14 inky")], SMALL, embeddings={"inky": 4})

    assert [content(chunk) for chunk in chunks] == [[10, 11, COMMA], [12, 13, 14], [0] * 4]


def test_the_longest_embedding_name_wins_and_only_whole_words_count() -> None:
    names = {"10": 1, "10-a": 2}

    (chunk,) = chunk_pieces([WeightedText("10-A 10 100")], SMALL, embeddings=names)

    assert [placed.name for placed in chunk.placements] == ["10-a", "10"]
    assert 100 in chunk.tokens


def test_an_embedding_longer_than_a_row_is_refused() -> None:
    with pytest.raises(JobError, match="inky has 7 vectors, but a chunk of the prompt holds 6"):
        chunk_pieces([WeightedText("inky")], SMALL, embeddings={"inky": 7})


PIECES = st.lists(
    st.one_of(
        st.just(ChunkBreak()),
        st.builds(
            WeightedText,
            st.lists(st.sampled_from(["10", "11", ",", "inky"]), max_size=12).map(" ".join),
            st.sampled_from([0.5, 1.0, 1.5]),
        ),
    ),
    max_size=8,
)


@settings(deadline=None)
@given(PIECES, st.integers(3, 20), st.integers(0, 25))
def test_nothing_is_lost_or_reordered(
    pieces: list[WeightedText | ChunkBreak], size: int, reach: int
) -> None:
    names = {"inky": 3}

    chunks = chunk_pieces(pieces, SMALL, size=size, embeddings=names, reach=reach)

    text = " ".join(piece.text for piece in pieces if isinstance(piece, WeightedText))
    expected = ids(text.replace("inky", "0 0 0"))
    assert [token for chunk in chunks for token in content(chunk)] == expected
    assert all(len(chunk.tokens) == len(chunk.weights) == size + 2 for chunk in chunks)
    assert all(chunk.content <= size for chunk in chunks)
    assert text.count("inky") == sum(len(chunk.placements) for chunk in chunks)


def test_chunks_are_spelled_in_words() -> None:
    pieces = [
        WeightedText("10, 11 12"),
        WeightedText("13 14 inky 10"),
        ChunkBreak(),
        WeightedText("15,16"),
    ]

    assert chunk_texts(pieces, SMALL, embeddings={"inky": 4}) == (
        ChunkText("10,", 2),
        ChunkText("11 12 13 14", 4),
        ChunkText("inky 10", 5),
        ChunkText("15,16", 3),
    )


def test_a_word_over_two_chunks_stands_in_both() -> None:
    first, second = chunk_texts([WeightedText("1 2 3 4 5 6,7")], SMALL)

    assert (first, second) == (ChunkText("1 2 3 4 5 6,7", 6), ChunkText("6,7", 2))


@settings(deadline=None)
@given(PIECES)
def test_spelled_chunks_count_as_the_real_ones(pieces: list[WeightedText | ChunkBreak]) -> None:
    names = {"inky": 3}

    spelled = chunk_texts(pieces, SMALL, embeddings=names)

    chunks = chunk_pieces(pieces, SMALL, embeddings=names)
    assert [chunk.content for chunk in chunks] == [chunk.tokens for chunk in spelled]
