"""How a request to Discord fails, without Discord's having said no."""

from __future__ import annotations

import aiohttp
import discord

TRANSPORT_ERRORS = (discord.HTTPException, aiohttp.ClientError, OSError, TimeoutError)
"""What sending may raise; discord.py lets its HTTP client's own errors through.

None of them says that the request had no effect: an answer can be lost after it was applied.
"""
