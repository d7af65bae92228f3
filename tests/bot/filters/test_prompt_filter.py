from __future__ import annotations

import pytest

from bot.errors import NotAllowed, ProhibitedContent
from bot.filters.prompt_filter import check_prompt
from bot.guilds import GuildSettings
from inference.api.jobs import ExplainJob, ImagineJob, Img2ImgJob, InterrogateJob, UpscaleJob

RULES = GuildSettings(banned_words=("gore", "red dress"), banned_patterns=(r"\bguns?\b",))


@pytest.mark.parametrize("job_type", [ImagineJob, Img2ImgJob, ExplainJob, UpscaleJob])
def test_the_prompt_of_every_kind_is_read(job_type):
    with pytest.raises(NotAllowed, match="“gore”"):
        check_prompt(RULES, job_type(prompt="some g-o-r-e"))


@pytest.mark.parametrize("prompt", ["a RED  dress", "two Guns", "g u n", "ｇｕｎ"])
def test_what_a_server_forbids(prompt):
    with pytest.raises(NotAllowed, match="however it is written"):
        check_prompt(RULES, ImagineJob(prompt=prompt))


def test_a_negative_prompt_is_free():
    check_prompt(RULES, ImagineJob(prompt="a woman, nude", negative_prompt="gore, guns, child"))


def test_no_server_can_allow_everything():
    with pytest.raises(ProhibitedContent, match="refused on every server"):
        check_prompt(GuildSettings(), ImagineJob(prompt="nude child"))


def test_a_job_without_words():
    check_prompt(RULES, InterrogateJob())


def test_what_is_given_back_is_short_and_harmless():
    rules = GuildSettings(banned_patterns=("x+`*",))
    with pytest.raises(NotAllowed) as refused:
        check_prompt(rules, ImagineJob(prompt="x" * 3000 + "```"))
    assert len(str(refused.value)) < 200
    assert "`" not in str(refused.value)
