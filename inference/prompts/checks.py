"""Checks: what in a prompt a member may not have meant, in words that say what to change."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches

from inference.errors import JobError
from inference.prompts.attention import ROUND_WEIGHT, TOKEN, Break, Piece, parse_weight
from inference.prompts.conjunction import split_and
from inference.prompts.explanation import Explanation, PartTable, Remark, Row
from inference.prompts.networks import LORA_KINDS, Network, read_lora
from inference.prompts.schedule import read

STRONG = 2.0  # above it words usually burn into the picture
MANY = 8  # unknown words named one by one
MOST = 20  # remarks in one explanation
EXCERPT = 24  # characters
ALIKE = 0.85  # how like an embedding's name a word is that is asked about

_LOST_WEIGHT = re.compile(r":\s*([+-]?[.\d]+)\s*(?:[,\]]|$)")
_NO_SCHEDULE = re.compile(r"\[[^\[\]|]*:([^\[\]|:]*)\]")
_BREAK = re.compile(r"\bBREAK\b")
_WORD = re.compile(r"[^\W_]+")
_NAMED = re.compile(r"(embedding:)?\b([\w.-]{5,60})\b")


@dataclass(frozen=True)
class Known:
    """The names that exist on this host; None where that is not known."""

    loras: Collection[str] | None = None
    words: Collection[str] | None = None
    lists: Collection[str] | None = None
    embeddings: Collection[str] | None = None


def check_text(text: str, steps: int, base_steps: int | None = None) -> Iterator[Remark]:
    """Check one prompt as it was written, tags taken out."""
    yield from _brackets(text)
    yield from _numbers(text)
    yield from _breaks(text)
    yield from _changes(text, steps, base_steps)


def check_parts(text: str) -> Iterator[Remark]:
    """Check how AND divides a positive prompt."""
    parts = split_and(text)
    if len(parts) > 1 and any(_unmatched(part.text) for part in parts) and not _unmatched(text):
        yield Remark(
            "and-in-brackets", "AND splits the prompt inside brackets, too: close them first."
        )
    if len(parts) == 1 and parts[0].weight != 1:
        yield Remark(
            "prompt-weight",
            f"The prompt ends in :{parts[0].weight:g}, which multiplies the guidance of all of it. "
            f"For words alone write (words:{parts[0].weight:g}).",
        )
    for part in parts:
        if len(parts) > 1 and not part.text.strip():
            yield Remark("empty-part", "AND has nothing on one of its sides.")


def check_negative(text: str, networks: Collection[Network]) -> Iterator[Remark]:
    """Check what works on the positive side only."""
    if len(split_and(text)) > 1:
        yield Remark("and-in-negative", "AND splits positive prompts only; here it is a word.")
    for network in networks:
        words = f"{network} stands in the negative prompt, where it is plain text."
        yield Remark("network-in-negative", words)


def check_networks(networks: Iterable[Network], known: Known) -> Iterator[Remark]:
    """Check that each tag names something that exists, with numbers that are some."""
    for network in networks:
        if network.kind not in LORA_KINDS:
            yield Remark("unknown-tag", f"{network} is left out: only <lora:…> is understood.")
            continue
        try:
            lora = read_lora(network)
        except JobError as error:
            yield Remark("bad-tag", str(error))
            continue
        if known.loras is not None and lora.name not in known.loras:
            words = f"There is no LoRA “{lora.name}”.{_nearest(lora.name, known.loras)}"
            yield Remark("unknown-lora", words)


def check_lists(names: Iterable[str], known: Known) -> Iterator[Remark]:
    """Check that each wildcard names a list."""
    for name in names:
        if known.lists is not None and name not in known.lists:
            words = f"There is no list “{name}”; the word stands for itself."
            yield Remark("unknown-list", words + _nearest(name, known.lists))


def check_tables(explanation: Explanation, known: Known) -> Iterator[Remark]:
    """Check the texts that are left when everything else is read."""
    rows = [row for part in (*explanation.prompt, explanation.negative) for row in part.rows]
    yield from (remark for row in rows for remark in _row(row))
    yield from _unknown_words(rows, known.words)
    yield from _missed_embeddings(rows, known.embeddings)
    yield from (remark for part in explanation.prompt for remark in _long(part))


def shortened(remarks: Iterable[Remark]) -> tuple[Remark, ...]:
    """Keep each remark once, and no more of them than anybody reads."""
    unique = list(dict.fromkeys(remarks))
    if len(unique) <= MOST:
        return tuple(unique)
    return (*unique[:MOST], Remark("more", f"… and {len(unique) - MOST} more remarks."))


def _brackets(text: str) -> Iterator[Remark]:
    for sign, position in _unmatched(text)[:MOST]:
        rest = text[position + 1 :]
        lost = _LOST_WEIGHT.search(rest) if sign == "(" else None
        if lost is not None:
            yield Remark(
                "unclosed-weight",
                f"“({_short(rest)}” is never closed: {lost[1]} is plain text and all that follows "
                f"weighs {ROUND_WEIGHT:g}. Put a ) behind {lost[1]}.",
            )
        elif sign in "([":
            words = f"“{sign}{_short(rest)}” is never closed and acts to the end of the prompt."
            yield Remark("unclosed", words)
        else:
            words = f"The “{sign}” after “{_short_end(text[:position])}” closes nothing."
            yield Remark("unopened", words)


def _unmatched(text: str) -> list[tuple[str, int]]:
    """Find brackets that open or close nothing: sign and position."""
    open_: dict[str, list[int]] = {"(": [], "[": []}
    strays: list[tuple[str, int]] = []
    for match in TOKEN.finditer(text):
        sign, position = match[0][-1], match.end() - 1
        if match[0][0] == "\\" or sign not in "()[]":
            continue
        if sign in "([":
            open_[sign].append(position)
        elif opened := open_["(" if sign == ")" else "["]:
            opened.pop()
        else:
            strays.append((sign, position))
    unclosed = [(sign, position) for sign, found in open_.items() for position in found]
    return sorted(strays + unclosed, key=lambda stray: stray[1])


def _numbers(text: str) -> Iterator[Remark]:
    for match in TOKEN.finditer(text):
        if match["weight"] is not None and parse_weight(match["weight"]) is None:
            words = f"“{_short(match['weight'])}” is no number, so it is plain text."
            yield Remark("bad-number", words)


def _breaks(text: str) -> Iterator[Remark]:
    depth = 0
    for match in TOKEN.finditer(text):
        if match[0] in ("(", "["):
            depth += 1
        elif match[0][-1] in ")]" and match[0][0] != "\\":
            depth = max(0, depth - 1)
        elif depth and _BREAK.search(match[0]):
            yield Remark(
                "break-in-brackets",
                "BREAK inside brackets begins a new chunk; the words around it keep their weight.",
            )
            return


def _changes(text: str, steps: int, base_steps: int | None) -> Iterator[Remark]:
    reading = read(text, steps, base_steps=base_steps)
    if not reading.readable:
        yield Remark(
            "unreadable",
            "“|” stands outside of [a|b], so nothing in this prompt changes from step to step.",
        )
    for when, step in reading.changes:
        if base_steps is None and step >= steps:
            yield Remark("never-changes", _never(when, steps))
        elif base_steps is None and step <= 0:
            yield Remark("changes-at-once", f"A change at {when} has happened before step 1.")


def _never(when: str, steps: int) -> str:
    number = float(when)
    if "." not in when:
        return f"A change at step {when} never comes: the job has {steps} steps."
    if number > 1:
        return f"A change at {when} waits for the second pass of a hires fix."
    return f"A change at {when} never comes: with a point it is a share of all steps, not a step."


def _row(row: Row) -> Iterator[Remark]:
    for match in _NO_SCHEDULE.finditer(row.text):
        yield Remark(
            "no-schedule",
            f"“{_short(match[0])}” is plain text: “{_short(match[1])}” is no step. "
            "Write [from:to:5], or [from:to:0.5] for half-way.",
        )
    for piece in row.pieces:
        if isinstance(piece, Piece) and abs(piece.weight) > STRONG:
            words = f"“{_short(piece.text)}” weighs {piece.weight:.4g}; "
            yield Remark("strong", words + f"pictures break above {STRONG:g}.")


def _long(part: PartTable) -> Iterator[Remark]:
    chunks = max(len(row.chunks) for row in part.rows)
    breaks = max(sum(isinstance(p, Break) for p in row.pieces) for row in part.rows)
    if chunks > 1 + breaks:
        words = f"The prompt takes {chunks} chunks; words in later ones pull less."
        yield Remark("long", words)


def _unknown_words(rows: Iterable[Row], words: Collection[str] | None) -> Iterator[Remark]:
    if words is None:
        return
    texts = (p.text.lower() for row in rows for p in row.pieces if isinstance(p, Piece))
    used = (part for text in texts for word in text.split() for part in _parts(word, words))
    unknown = list(dict.fromkeys(word for word in used if word not in words))
    for word in unknown[:MANY]:
        yield Remark("unknown-word", f"The model does not know “{word}”.{_nearest(word, words)}")
    if len(unknown) > MANY:
        yield Remark("unknown-word", f"… nor {len(unknown) - MANY} more words.")


def _missed_embeddings(rows: Iterable[Row], names: Collection[str] | None) -> Iterator[Remark]:
    """Find words that are almost an embedding's name, and names in another program's spelling."""
    if not names:
        return
    known = {name.lower(): name for name in names}
    texts = (p.text for row in rows for p in row.pieces if isinstance(p, Piece))
    for mark, word in dict.fromkeys(pair for text in texts for pair in _NAMED.findall(text)):
        close = get_close_matches(word.lower(), known, n=1, cutoff=ALIKE)
        if mark and word.lower() not in known:
            near = [known[name] for name in get_close_matches(word.lower(), known, n=3)]
            hint = f" Did you mean {' or '.join(near)}?" if near else ""
            yield Remark("unknown-embedding", f"There is no embedding “{word}”.{hint}")
        elif mark:
            yield Remark("embedding-mark", f"Write {word} alone: “{mark}” is plain text here.")
        elif close and word.lower() not in known:
            words = f"“{word}” is a plain word. Did you mean the embedding {known[close[0]]}?"
            yield Remark("unknown-embedding", words)


def _parts(word: str, words: Collection[str]) -> list[str]:
    return [word] if word in words else _WORD.findall(word)


def _nearest(name: str, names: Collection[str]) -> str:
    close = get_close_matches(name, names, n=3, cutoff=0.6)
    return f" Did you mean {' or '.join(close)}?" if close else ""


def _short(text: str) -> str:
    return text if len(text) <= EXCERPT else text[:EXCERPT].rstrip() + "…"


def _short_end(text: str) -> str:
    return text if len(text) <= EXCERPT else "…" + text[-EXCERPT:].lstrip()
