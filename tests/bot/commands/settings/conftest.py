from __future__ import annotations

import discord
import pytest


@pytest.fixture
def admin(easel):
    role = easel.guild.create_role("admin", permissions=discord.Permissions(manage_guild=True))
    return easel.guild.add_member(easel.env.create_user("carol"), roles=[role])


@pytest.fixture
def said():
    def words(result):
        return (result.followups or [result.response])[-1].content

    return words
