from __future__ import annotations

from unittest.mock import AsyncMock, Mock

import pytest

from bot.errors import NotAllowed
from bot.guilds import GuildSettings, RequestContext
from bot.guilds.policy import GuildPolicy
from inference.api.jobs import ExplainJob, ImagineJob, Img2ImgJob, InterrogateJob, UpscaleJob

SETTINGS = GuildSettings(banned_words=("gore",), banned_patterns=(r"\bguns?\b",))


@pytest.fixture
def policy() -> GuildPolicy:
    return GuildPolicy(jobs=Mock(), guilds=Mock(), usage=Mock(), access=AsyncMock())


@pytest.mark.parametrize("job_type", [ImagineJob, Img2ImgJob, ExplainJob, UpscaleJob])
async def test_the_prompt_of_every_kind_is_read(policy, job_type):
    with pytest.raises(NotAllowed, match="“gore”"):
        await policy.check_permissions(SETTINGS, RequestContext(), job_type(prompt="some g-o-r-e"))


@pytest.mark.parametrize(
    "job",
    [
        ImagineJob(prompt="a woman, nude", negative_prompt="gore, guns, child"),
        InterrogateJob(),
    ],
    ids=["a negative prompt is free", "a job without words"],
)
async def test_what_no_word_forbids(policy, job):
    await policy.check_permissions(SETTINGS, RequestContext(), job)
