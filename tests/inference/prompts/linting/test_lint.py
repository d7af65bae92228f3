from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.api.prompts.attention import ChunkBreak, WeightedText
from inference.api.prompts.extra_networks import ExtraNetworkTag
from inference.prompts.chunks import ChunkText, Tokenizer
from inference.prompts.linting.explanation import PromptExplanation
from inference.prompts.linting.lint import explain_prompts, render_explanation

ROOT = Path(__file__).parents[4]
WORDS = ["red", "fox", "on", "a", "white", "background", "cat"]
TOKENIZER = Tokenizer(
    lambda text: [WORDS.index(word) + 3 if word in WORDS else 0 for word in text.split()],
    1,
    2,
    2,
    8,
    None,
    frozenset(WORDS),
)


def kinds(explanation: PromptExplanation) -> list[str]:
    return [remark.kind for remark in explanation.remarks]


def words(explanation: PromptExplanation, kind: str) -> str:
    return " ".join(remark.words for remark in explanation.remarks if remark.kind == kind)


def test_a_plain_prompt_is_one_text_for_all_steps() -> None:
    explanation = explain_prompts("red fox", "cat", 20)

    ((row,),) = (part.rows for part in explanation.prompt)
    assert (row.text, row.pieces) == ("red fox", (WeightedText("red fox"),))
    assert tuple(range(1, 21)) == row.steps
    assert explanation.negative.rows[0].text == "cat"
    assert (explanation.remarks, row.chunks) == ((), ())


def test_a_schedule_becomes_a_table() -> None:
    explanation = explain_prompts("(cat BREAK [red|white]:1.2) [a::2]", steps=4)

    rows = explanation.prompt[0].rows
    assert [(row.text, row.steps) for row in rows] == [
        ("(cat BREAK red:1.2) a", (1, 2)),
        ("(cat BREAK white:1.2) a", (3,)),
        ("(cat BREAK red:1.2) ", (4,)),
    ]
    assert rows[0].pieces == (
        WeightedText("cat", 1.2),
        ChunkBreak(),
        WeightedText("red", 1.2),
        WeightedText(" a"),
    )


def test_parts_networks_and_drawn_words_are_shown() -> None:
    explanation = explain_prompts(
        "{fox|fox} :1.5 AND __colour__ cat<lora:ink:0.5>", lists={"colour": ["red"]}
    )

    assert [(part.weight, part.rows[0].text) for part in explanation.prompt] == [
        (1.5, "fox"),
        (1.0, " red cat"),
    ]
    assert explanation.networks == (ExtraNetworkTag("lora", ("ink", "0.5")),)
    assert kinds(explanation) == []


def test_chunks_are_shown_with_a_tokenizer() -> None:
    explanation = explain_prompts("a red fox on a white background BREAK cat", tokenizer=TOKENIZER)

    assert explanation.prompt[0].rows[0].chunks == (
        ChunkText("a red fox on a white", 6),
        ChunkText("background", 1),
        ChunkText("cat", 1),
    )
    assert kinds(explanation) == ["long"]
    assert explanation.chunk_size == 6


@pytest.mark.parametrize(
    ("prompt", "kind", "expected"),
    [
        ("a (fox:1.3", "unclosed-weight", "“(fox:1.3” is never closed: 1.3 is plain text"),
        ("a (fox:1.3, cat", "unclosed-weight", "all that follows weighs 1.1"),
        ("a (fox, cat", "unclosed", "“(fox, cat” is never closed"),
        ("a [fox", "unclosed", "acts to the end"),
        ("a fox) b", "unopened", "The “)” after “a fox” closes nothing"),
        ("(a:1.2.3)", "bad-number", "“1.2.3” is no number"),
        ("(a BREAK b)", "break-in-brackets", "begins a new chunk"),
        ("[a:b:1.0]", "never-changes", "1.0 never comes: with a point it is a share"),
        (
            "[a:b:30]",
            "never-changes",
            "30 never comes: steps count from 0, and the job has 20 steps",
        ),
        ("[a:b:19]", "never-changes", "19 never comes: steps count from 0, and the job has 20"),
        ("[a:b:0.95]", "never-changes", "0.95 never comes: steps count from 0, and the job has 20"),
        ("[a:b:1.5]", "never-changes", "second pass of a hires fix"),
        ("[a:b:0]", "changes-at-once", "before step 1"),
        ("a | b [c:d:3]", "unreadable", "“|” stands outside"),
        ("[a:b:soon]", "no-schedule", "“soon” is no step"),
        ("(a:2.5)", "strong", "“a” weighs 2.5"),
        ("(a AND b:1.2)", "and-in-brackets", "AND splits the prompt inside brackets"),
        ("a fox:1.5", "prompt-weight", "multiplies the guidance"),
        ("a AND ", "empty-part", "nothing on one of its sides"),
        ("a <lora:inc:1>", "unknown-lora", "no LoRA “inc”. Did you mean ink?"),
        ("a <lora:ink:x>", "bad-tag", "“x” in <lora:ink:x> is not a number"),
        ("a <hypernet:ink:1>", "unknown-tag", "only <lora:…>"),
        ("a __colours__", "unknown-list", "no list “colours”; the word stands for itself. Did you"),
        ("a foxx", "unknown-word", "does not know “foxx”. Did you mean fox?"),
    ],
)
def test_what_may_not_be_meant_is_said(prompt: str, kind: str, expected: str) -> None:
    explanation = explain_prompts(
        prompt,
        lists={"colour": ["red"]},
        known_loras=["ink", "paint"],
        vocabulary=["a", "b", "c", "d", "fox", "cat", "soon", "colours", "1", "2", "3", "and"],
    )

    assert expected in words(explanation, kind)


@pytest.mark.parametrize(
    "prompt",
    [
        "red (fox:1.2), [white] cat",
        r"a \(cat\) :\)",
        "[a:b:0.5] [a|b] (x [a:b:4]:1.2)",
        "a BREAK b",
        "<lora:ink:0.7> a cat :1.2 AND a dog",
        "portrait: a fox",
    ],
)
def test_what_is_meant_is_not_remarked(prompt: str) -> None:
    assert kinds(explain_prompts(prompt, known_loras=["ink"])) == []


def test_the_negative_side_says_what_it_does_not_do() -> None:
    explanation = explain_prompts("a", "b AND c <lora:ink:1>")

    assert kinds(explanation) == ["and-in-negative", "network-in-negative"]
    assert explanation.negative.rows[0].text == "b AND c <lora:ink:1>"


def test_the_second_pass_is_explained_on_request() -> None:
    explanation = explain_prompts("[a:b:1.5]", steps=6, base_steps=10)

    assert [row.steps for row in explanation.prompt[0].rows] == [(1, 2, 3, 4), (5, 6)]
    assert kinds(explanation) == []


def test_the_tokenizers_own_words_are_checked() -> None:
    explanation = explain_prompts(
        "red zebra, " + " ".join(f"word{n}" for n in range(20)), tokenizer=TOKENIZER
    )

    assert kinds(explanation).count("unknown-word") == 9
    assert "nor 13 more words" in words(explanation, "unknown-word")


def test_an_explanation_reads_as_a_table() -> None:
    text = render_explanation(
        explain_prompts(
            "red (fox:1.3) BREAK [cat|a]:1.2 AND on<lora:ink:0.5:0.2>",
            "[white:0.5]",
            8,
            tokenizer=TOKENIZER,
        )
    )

    assert text.splitlines() == [
        "Prompt, part 1 (weight 1.2)",
        "  steps 1, 2, 4, 6, 8: red (fox:1.3) BREAK cat",
        "     1.00  red",
        "     1.30  fox",
        "    BREAK",
        "     1.00  cat",
        "    chunk 1, 2 of 6 tokens: red fox",
        "    chunk 2, 1 of 6 tokens: cat",
        "  steps 3, 5, 7: red (fox:1.3) BREAK a",
        "     1.00  red",
        "     1.30  fox",
        "    BREAK",
        "     1.00  a",
        "    chunk 1, 2 of 6 tokens: red fox",
        "    chunk 2, 1 of 6 tokens: a",
        "Prompt, part 2 (weight 1)",
        "  steps 1–8: on",
        "    chunk 1, 1 of 6 tokens: on",
        "Negative prompt",
        "  steps 1–5: (nothing)",
        "    chunk 1, 0 of 6 tokens: (nothing)",
        "  steps 6–8: white",
        "    chunk 1, 1 of 6 tokens: white",
        "Networks",
        "  LoRA ink: text encoder 0.5, network 0.2",
    ]


def test_long_tables_are_cut() -> None:
    text = render_explanation(
        explain_prompts("[a:b:1]" + "".join(f"[x{n}:{n}]" for n in range(1, 40)), steps=40)
    )

    assert "… and 27 more texts" in text
    assert "steps 1–2: a" in text


def test_even_steps_are_written_shortly() -> None:
    assert "steps 1, 2, 4 … 20: a" in render_explanation(explain_prompts("[a|b]", steps=20))
    assert "steps 1, 2, 4: a" in render_explanation(explain_prompts("[a|b]", steps=4))


@settings(deadline=None)
@given(st.text("ab()[]:|.12 <>{}_\\AND BREAK\n", max_size=60), st.integers(1, 20))
def test_anything_is_explained_as_text(prompt: str, steps: int) -> None:
    explanation = explain_prompts(prompt, prompt, steps, lists={"a": ["b"]}, tokenizer=TOKENIZER)

    assert explanation.steps == steps
    assert "Prompt" in render_explanation(explanation)
    held = [step for row in explanation.prompt[0].rows for step in row.steps]
    assert sorted(held) == list(range(1, steps + 1))


@pytest.mark.parametrize("unit", ["(a:1.3", "[a|b]", "a) ", "(a:1.2.3)", "AND (a ", "<lora:x:y>"])
def test_six_thousand_characters_are_explained_with_few_remarks(unit: str) -> None:
    explanation = explain_prompts((unit * 6000)[:6000], steps=20, tokenizer=TOKENIZER)

    assert 1 <= len(explanation.remarks) <= 21


def test_the_linter_needs_no_torch() -> None:
    code = "import sys, inference.prompts.linting.lint"
    check = f"{code}; raise SystemExit('torch' in sys.modules or 'transformers' in sys.modules)"

    done = subprocess.run([sys.executable, "-c", check], cwd=ROOT, check=False)

    assert done.returncode == 0


def test_the_page_for_members_shows_what_the_linter_says() -> None:
    page = (ROOT / "docs" / "prompts.md").read_text(encoding="utf-8")
    (_, asked, shown) = re.split(r"The prompt (?=`[^`]+` with the negative)|```text\n", page)
    prompt, negative = re.findall(r"`([^`]+)`", asked)

    assert shown.split("```")[0].rstrip() == render_explanation(
        explain_prompts(prompt, negative, 20)
    )


def test_the_examples_of_the_page_for_members_can_be_meant() -> None:
    page = (ROOT / "docs" / "prompts.md").read_text(encoding="utf-8")
    examples = re.findall(r"^\| `([^`]+)` \|", page, re.MULTILINE)

    assert len(examples) == 21
    for example in examples:
        prompt = example.replace("\\|", "|")
        assert kinds(explain_prompts(prompt, steps=10, lists={"colour": ["red"]})) == [], prompt


@pytest.mark.parametrize(
    ("prompt", "words"),
    [
        ("a cat, easynegativ", "“easynegativ” is a plain word. Did you mean the embedding Easy"),
        ("embedding:easynegative", "Write easynegative alone"),
        ("embedding:easy-positive", "There is no embedding “easy-positive”. Did you mean Easy"),
    ],
)
def test_embeddings_that_were_meant_are_named(prompt: str, words: str) -> None:
    remarks = explain_prompts(prompt, embeddings={"EasyNegative": 8}).remarks
    assert any(words in remark.words for remark in remarks)


def test_an_embedding_that_is_there_is_no_remark() -> None:
    assert not explain_prompts("easynegative, a fox", embeddings={"EasyNegative": 8}).remarks


def test_what_was_drawn_of_both_prompts_is_told() -> None:
    lists = {"sky": ("red sky",)}
    found = explain_prompts("a __sky__", "{fog|mist}", seed=3, lists=lists)
    assert found.resolved_wildcards is not None
    assert (found.resolved_wildcards.prompt, found.resolved_wildcards.seed) == ("a red sky", 3)
    assert found.resolved_wildcards.negative in {"fog", "mist"}
    assert explain_prompts("a fox", lists=lists).resolved_wildcards is None


@pytest.mark.parametrize(
    ("sampler", "expected"),
    [("Euler a", ["steps 1–6: a", "steps 7–10: b"]), ("Heun", ["calls 1–6: a", "calls 7–20: b"])],
)
def test_samplers_of_two_calls_a_step_spread_a_schedule_over_their_calls(
    sampler: str, expected: list[str]
) -> None:
    text = render_explanation(explain_prompts("[a:b:5]", steps=10, sampler=sampler))

    assert [line.strip() for line in text.splitlines() if ": " in line] == expected
