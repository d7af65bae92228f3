"""Ages below eighteen, in figures and in words."""

from __future__ import annotations

import re
from collections.abc import Sequence

from bot.filters.normalised_text import NormalisedText, normalise_text

ADULT_AGE_YEARS = 18  # years
CONTEXT_CHARACTERS = 40  # characters looked at before and behind a number


def _either(*words: str) -> str:
    """Match one of some words, written as texts are when they are looked at."""
    normalised_words = {normalise_text(word) for text in words for word in text.split("|")}
    return "|".join(sorted(map(re.escape, normalised_words), key=len, reverse=True))


NUMBER_WORDS = _either(
    "one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fourteen|fifteen|"
    "sixteen|seventeen",
    "ein|eins|zwei|drei|vier|fünf|sechs|sieben|acht|neun|zehn|elf|zwölf|dreizehn|vierzehn|fünfzehn|"
    "sechzehn|siebzehn|fuenf|zwoelf|fuenfzehn",
    "uno|un|dos|tres|cuatro|cinco|seis|siete|ocho|nueve|diez|once|doce|trece|catorce|quince|"
    "dieciséis|diecisiete",
    "deux|trois|quatre|cinq|sept|huit|neuf|dix|onze|douze|treize|quatorze|quinze|seize|dix-sept",
    "dois|duas|três|quatro|sete|oito|nove|dez|doze|treze|dezesseis|dezasseis|dezessete|dezassete",
    "один|одного|два|двух|три|трех|четыре|четырех|пять|пяти|шесть|шести|семь|семи|восемь|восьми|"
    "девять|девяти|десять|десяти|одиннадцать|одиннадцати|двенадцать|двенадцати|тринадцать|"
    "тринадцати|четырнадцать|четырнадцати|пятнадцать|пятнадцати|шестнадцать|шестнадцати|"
    "семнадцать|семнадцати",
)
#: A number, alone or joined to what says that it is an age (12yo, zwölfjährig).
NUMBER_PATTERN = re.compile(
    rf"(?<!\w)(?<!\d[.,:/])(?:(?P<digits>\d{{1,3}})(?![\d:/%°]|[.,]\d*[1-46-9])(?:[.,]5)?|(?:{NUMBER_WORDS}))"
    r"(?: 1/2| and a half)?"
)
TENS_BEFORE = re.compile(
    r"\b(?:"
    + _either(
        "twenty|thirty|forty|fourty|fifty|sixty|seventy|eighty|ninety|hundred|thousand",
        "veinte|treinta|cuarenta|cincuenta|sesenta|setenta|ochenta|noventa",
        "vingt|vingts|trente|quarante|cinquante|soixante",
        "vinte|trinta|quarenta|cinquenta|sessenta|oitenta",
        "двадцать|тридцать|сорок|пятьдесят|шестьдесят|семьдесят|восемьдесят|девяносто|двадцати|"
        "тридцати|сорока",
    )
    + r")(?:[ -](?:and|y|e|et))?[ -]$"
)
"""What makes the two of "thirty-two" no age of a child."""

_ANNUAL = _either(
    "years|year|yrs|yr|jahre|jahren|jahr|ans|an|años|año|añitos|anos|ano|лет|год|года"
)
_AGO = _either(
    "ago|later|after|married|of experience|de experiencia|juntos|atrás|después|plus tard|назад|"
    "спустя|вместе"
)
_MEASURE = (
    "of|in|into|out|to|on|feet|foot|ft|inch|cm|mm|m|meters?|metres?|km|k|kg|lb|g|percent|x|oclock|"
    "am|pm|thousand|hundred|million|stone|dimensional|people|children|men|women|or|different|"
    "other|more|s|secs?|ms|mins?|months?|weeks?|days?|hours?|minutes?"
)
#: A number that nothing is counted by.
_ALONE = rf"(?!\w|-\w| ?(?:{_MEASURE})\b| [a-z]+s\b|'\d)"
_YEARS_OR_ALONE = rf"(?:[ -](?:{_ANNUAL})\b(?! (?:{_AGO}))|{_ALONE})"
_ENDS_THERE = r"(?= ?[,;.!)\]\n]| ?$)"
_ADVERB = "(?:(?:only|just|barely|almost|nearly|about|still|now|maybe|exactly|not even|around) )?"
_PERSON = (
    "(?:girls?|boys?|daughters?|sons?|sisters?|brothers?|lads?|lass|lasses|pupils?|nieces?|"
    "nephews?|females?|males?|students?)"
)
_SUBJECT = "(?:she|he|they|who|girl|boy|daughter|son|sister|brother|model|child|kid)"
_IT_IS = (
    r"(?:'re| is| was| are| were| being)?(?: turned| turning| turns| becoming| looks"
    r"| looking| looks like)?"
)
AgeContext = tuple[re.Pattern[str] | None, re.Pattern[str]]
AGE_CONTEXTS: tuple[AgeContext, ...] = tuple(
    (re.compile(f"(?:{start})$") if start else None, re.compile(end))
    for start, end in (
        ("", r"[ -]*(?:years?|yrs?|yr|y)[ -]*(?:olds?|young|of age)\b"),
        ("", r" ?(?:y[ ./]?o\b|yos\b|y ?old)|[ -]*months?[ -]olds?\b"),
        (r"\bage[ds]?\b(?: ?[:=]| is| was| of)? ?" + _ADVERB, _YEARS_OR_ALONE),
        (
            rf"\b(?:i'?m|i am|(?:she|he|who)'?s|{_SUBJECT}(?:'s)?{_IT_IS}) {_ADVERB}"
            r"(?<!\bshe )(?<!\bhe )(?<!\bthey )(?<!\bwho )",
            _YEARS_OR_ALONE,
        ),
        (
            r"\b(?:turned|turning|only|barely) ",
            rf"(?: (?:{_ANNUAL})\b(?! (?:{_AGO})))?{_ENDS_THERE}",
        ),
        (rf"\b{_PERSON} of {_ADVERB}", _ALONE),
        (rf"\b{_PERSON}(?:,| ?\()? ?", _ENDS_THERE),
        (r"\(", r" ?/? ?[fm]\)"),
        # German
        ("", r"[ -]*(?:jahre? alt\b|jahrig|jaehrig)"),
        (
            r"\b(?:sie|er|es|die|madchen|maedchen|junge|tochter|sohn) (?:ist|war|wird|wurde) "
            r"(?:erst |gerade |knapp |nur )?",
            _YEARS_OR_ALONE,
        ),
        (r"\b(?:mit|von|erst|gerade) ", r" jahren?\b"),
        (r"\b(?:alter(?: von)?:?) ", _YEARS_OR_ALONE),
        # Spanish, Portuguese, French
        (
            r"\b(?:de|con|com|tiene|tenia|tem|tinha|cumple|cumplio|fez|edad:?|idade:?)"
            r"(?: solo| apenas| so)? ",
            rf" an(?:it)?os?\b(?! (?:{_AGO}))",
        ),
        (
            r"\b(?:(?:ella|el|ela|ele|que|nina|nino|menina|menino) (?:tiene|tem)|edad:?|idade:?) ",
            _ALONE,
        ),
        (
            r"(?<!\by )\b(?:de|a|as|ai|avait|agee?s?(?: de)?|avoir|age:?)(?: seulement| juste)? ",
            rf" ans?\b(?! (?:{_AGO}))",
        ),
        # Russian
        (
            rf"\b(?:{_either('ей|ему|мне|им|девочке|мальчику|возраст|возрасте|в')}) "
            rf"(?:(?:{_either('было|всего|только|уже|исполнилось')}) )?",
            rf" (?:{_either('лет|год|года|годика')})\b(?! (?:{_AGO}))|{_ALONE}(?<=\d)",
        ),
        ("", rf"[ -]?(?:{_either('летн', 'годовал')})"),
        # A noun, 12 años; 12 ans: whatever the language, where the years stand by themselves.
        (r"(?:^|[,;(:.] ?)", rf" (?:{_ANNUAL})(?= ?[,;.)]| ?$)"),
    )
)
"""What stands before a number that is an age, and what behind it."""
PLAIN_AGE_CONTEXTS = tuple(context for context in AGE_CONTEXTS if context[0] is None)
PRONOUNS = ("once", "one", "ein", "eins", "un", "uno", "один")
ANNUAL_PATTERN = re.compile(rf"[ -]?(?:{_ANNUAL})")
UNDER_AGE_PATTERN = re.compile(
    rf"\b(?:under|below|younger than|not yet|unter|menor de|menos de|moins de) (?:the age of )?"
    rf"(?:1[0-8]|[3-9]|eighteen|achtzehn|dieciocho|dix-huit|dezoito|{NUMBER_WORDS})"
    rf"(?![.,:]\d){_YEARS_OR_ALONE}"
)
ASIAN_AGE_PATTERNS = (
    re.compile(r"(?P<digits>\d{1,3})(?:歳|才|周?岁|周?歲|살|세(?![기계대트]))"),
    re.compile(
        r"(?<![一二三四五六七八九十百])(?:十[一二三四五六七]?|[一二两兩三四五六七八九])(?:歳|周?岁|周?歲)"
    ),
    re.compile(
        r"(?<![른흔쉰순든물])(?:열(?:한|두|세|네|다섯|여섯|일곱)?|한|두|세|네|다섯|여섯|일곱|여덟|아홉)살"
    ),
    re.compile(r"(?<![일이삼사오육칠팔구십백])십[일이삼사오육칠]?세(?![기계대트])"),
    re.compile(
        r"(?:年仅|年僅|年方|芳龄|芳齡|今年|[她他](?:才|只有|刚满|剛滿)?)"
        r"(?:(?P<digits>\d{1,2})(?!\d)|十[一二三四五六七]|[八九])(?![年月日个個次天号號点點万千百名人])"
    ),
    re.compile(r"(?<!\d)10(?:代(?!目)|대(?=[소여남의]))"),
)


def names_minor_age(reading: NormalisedText) -> bool:
    """Whether a text names an age below eighteen."""
    text = " ".join(reading.text.replace("_", " ").split())
    return (
        UNDER_AGE_PATTERN.search(text) is not None
        or _names_age_in_words(text, AGE_CONTEXTS)
        or any(_names_age_in_words(form.strip(), PLAIN_AGE_CONTEXTS) for form in reading.forms)
        or any(
            int(match.groupdict().get("digits") or 0) < ADULT_AGE_YEARS
            for pattern in ASIAN_AGE_PATTERNS
            for match in pattern.finditer(reading.compact)
        )
    )


def _names_age_in_words(text: str, contexts: Sequence[AgeContext]) -> bool:
    """Look at a text whose words are parted by spaces."""
    for match in NUMBER_PATTERN.finditer(text):
        context = text[max(0, match.start() - CONTEXT_CHARACTERS) : match.start()]
        if int(match["digits"] or 0) >= ADULT_AGE_YEARS or TENS_BEFORE.search(context):
            continue
        if match[0] in PRONOUNS and not ANNUAL_PATTERN.match(text, match.end()):
            continue
        if any(
            behind.match(text, match.end()) and (ahead is None or ahead.search(context))
            for ahead, behind in contexts
        ):
            return True
    return False
