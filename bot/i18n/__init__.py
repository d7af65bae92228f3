"""Members' own languages: what Discord shows of the commands, and what Easel answers.

One file a language. `translate` says a message in the language that the running task speaks;
`translate_notice` says what a worker sends or the store holds as a code. Nothing here imports
discord, whose side is in `bot.i18n.discord_translator`: decoders load this as well.
"""

from bot.i18n.catalog import SOURCE_LANGUAGE
from bot.i18n.translate import (
    choice_name,
    command_name,
    current_language,
    option_name,
    set_language,
    translate,
    translate_description,
    translate_notice,
    translate_plural,
    translate_value,
    use_language,
)

__all__ = [
    "SOURCE_LANGUAGE",
    "choice_name",
    "command_name",
    "current_language",
    "option_name",
    "set_language",
    "translate",
    "translate_description",
    "translate_notice",
    "translate_plural",
    "translate_value",
    "use_language",
]
