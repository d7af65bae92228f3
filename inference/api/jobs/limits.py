"""What one job may come to, whatever its options allow: a bound on what makes a picture dear."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from inference.api.errors import JobError
from inference.api.jobs.base import Job
from inference.api.jobs.kinds import ExplainJob, Img2ImgJob
from inference.api.jobs.price import BREAK_PATTERN, count_loras, estimate_cost
from inference.api.prompts.conjunction import split_and
from inference.api.prompts.extra_networks import take_networks

#: Prompts joined by AND; each is an entry of its own in every network call.
MAX_PROMPT_PARTS = 8
#: Work of one job, in ordinary pictures: 512 x 512 in 20 steps.
MAX_JOB_PICTURES = 4000
#: LoRAs that run beside one network.
MAX_PROMPT_LORAS = 16
#: Chunks of one prompt: 6,000 Chinese characters, the most tokens of any, come to 208.
MAX_PROMPT_CHUNKS = 256
#: Chunks that all texts of a picture's prompts come to, each as long as the longest of them.
MAX_TIMELINE_CHUNKS = 512

_BRACE_SIGNS = re.compile(r"\\.|[{}|]|\$\$", re.DOTALL)


@dataclass(frozen=True)
class JobLimits:
    """A host's bounds."""

    prompt_parts: int = MAX_PROMPT_PARTS
    pictures: float = MAX_JOB_PICTURES

    def check_job(self, job: Job) -> None:
        """Refuse prompts that are too dear whichever words are drawn.

        Raises:
            JobError: says what there is too much of, and how much is allowed.
        """
        if not isinstance(job, ExplainJob):
            prompt, negative_prompt = (
                "".join(_texts_beside_choices(getattr(job, name, "")))
                for name in ("prompt", "negative_prompt")
            )
            self.check_prompts(prompt, negative_prompt)

    def check_prompts(self, prompt: str, negative_prompt: str) -> None:
        """Refuse prompts whose words are drawn and that are too dear.

        Raises:
            JobError: says what there is too much of, and how much is allowed.
        """
        parts = split_and(take_networks(prompt)[0])
        for code, count, bound in (
            ("prompt.too_many_parts", len(parts), self.prompt_parts),
            ("prompt.too_many_loras", count_loras(prompt), MAX_PROMPT_LORAS),
        ):
            if count > bound:
                raise JobError("prompt", code, count=count, most=bound)
        for text in (*(part.text for part in parts), negative_prompt):
            check_chunk_count(len(BREAK_PATTERN.findall(text)) + 1)

    def check_cost(self, cost: float) -> None:
        """Refuse a job of so many TFLOP if that is too much.

        Raises:
            JobError: says how much it is, and how much is allowed.
        """
        pictures = cost / estimate_cost(Img2ImgJob())
        if pictures > self.pictures:
            raise JobError(
                "steps", "job.too_dear", count=f"{pictures:.0f}", most=f"{self.pictures:g}"
            )


def check_chunk_count(chunks: int) -> None:
    """Refuse a prompt of too many chunks.

    Raises:
        JobError: says how many it has.
    """
    if chunks > MAX_PROMPT_CHUNKS:
        raise JobError("prompt", "prompt.too_many_chunks", count=chunks, most=MAX_PROMPT_CHUNKS)


def _texts_beside_choices(text: str) -> Iterator[str]:
    """Give what lies outside of `{a|b}`, of which nobody knows yet what is drawn."""
    spans: list[tuple[int, int]] = []
    open_braces: list[tuple[int, bool]] = []
    for match in _BRACE_SIGNS.finditer(text):
        if match[0] == "{":
            open_braces.append((match.start(), False))
        elif match[0] == "}" and open_braces:
            start, has_choices = open_braces.pop()
            if has_choices:
                while spans and spans[-1][0] > start:
                    spans.pop()
                spans.append((start, match.end()))
        elif match[0] in ("|", "$$") and open_braces:
            open_braces[-1] = (open_braces[-1][0], True)
    position = 0
    for start, end in spans:
        yield text[position:start]
        position = end
    yield text[position:]
