"""A job's card, from its receipt to its end, and the details of its result."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from bot.dispatcher.estimation import TimeRange, format_range
from bot.i18n import choice_name, command_name, option_name, translate, translate_notice
from bot.i18n.message import gettext_noop
from bot.messages.escaping import (
    MAX_MESSAGE_CHARACTERS,
    code_block,
    escape_error_text,
    escape_untrusted,
    inline_code,
    join_limited,
)
from bot.requests.descriptions import description_confidence
from inference.api.jobs import JOB_TYPES, Job, list_job_options
from inference.api.jobs.model_defaults import (
    CATALOGUE_ORIGIN,
    FAMILY_ORIGIN,
    FILE_ORIGIN,
    ModelDefault,
)
from inference.api.notices import Notice, format_number
from storage.records import JobRecord, JobState, QueuePlace

MAX_ALT_TEXT_CHARACTERS = 1024  # characters of an attachment's description
KIND_TITLES = {"preview": "mask"}  # kinds that members know by another name
STATE_LABELS = {
    JobState.QUEUED: gettext_noop("waiting"),
    JobState.RUNNING: gettext_noop("running"),
    JobState.DONE: gettext_noop("done"),
    JobState.FAILED: gettext_noop("failed"),
    JobState.CANCELLED: gettext_noop("cancelled"),
}
MODEL_PATTERN = re.compile(r"(?:^|, )Model: ([^,]{1,100})")
"""The checkpoint's name in the last line of a `parameters` text."""


def kind_title(kind: str) -> str:
    """Name a kind of job as its command is called."""
    return command_name(KIND_TITLES.get(kind, kind))


def job_title(job: Job | JobRecord) -> str:
    """Name a job as the command is called that asks for it: `/redraw` has a mode, not a kind."""
    return options_title(job.kind, job.params if isinstance(job, JobRecord) else vars(job))


def options_title(kind: str, options: Mapping[str, Any]) -> str:
    """Name what these options of a kind ask for, as `job_title` does."""
    return kind_title("redraw" if options.get("mode") == "redraw" else kind)


def short_id(job_id: str) -> str:
    """Write the end of a job's id, which members know it by and commands take."""
    return f"…{job_id[-4:]}"


def summary_line(record: JobRecord) -> str:
    """List what made a result: its size, seed, steps, time, and its price in GPU-seconds."""
    params, outcome = record.params, record.result or {}
    images: Sequence[Mapping[str, Any]] = outcome.get("pictures") or ()
    parts = []
    if images:
        parts.append(f"{images[0]['width']} × {images[0]['height']}")
    parts.extend(_setting_parts(params, _result_seed(params, images)))
    if "guidance" in params and (model := _model_name(record)):
        parts.append(model)
    if outcome.get("seconds"):
        parts.append(f"{outcome['seconds']:.1f} s")
    if outcome.get("charged"):
        parts.append(translate("GPU {seconds} s", seconds=f"{outcome['charged']:.1f}"))
    return " · ".join(parts) or job_title(record)


def _setting_parts(params: Mapping[str, Any], seed: int | None) -> list[str]:
    if "upscaler" in params and params.get("mode", "enlarge") == "enlarge":
        return [f"{params['upscaler']} × {params['factor']:g}"]
    if "guidance" not in params:
        return [choice_name(str(params[name])) for name in ("method",) if name in params]
    parts = [] if seed is None else [translate("seed `{seed}`", seed=seed)]
    parts += [
        translate("{steps} steps", steps=params["steps"]),
        str(params["sampler"]),
        translate("guidance {guidance}", guidance=f"{params['guidance']:g}"),
    ]
    if "strength" in params:
        parts.append(translate("strength {strength}", strength=f"{params['strength']:g}"))
    return parts


def _model_name(record: JobRecord) -> str:
    """Name the checkpoint: the one asked for, else the one that the picture says made it."""
    requested_name = str(record.params.get("model") or "")
    name_match = MODEL_PATTERN.search(_image_infotext(record).rpartition("\n")[2])
    return escape_untrusted(requested_name or (name_match[1].strip() if name_match else ""), 60)


def _image_infotext(record: JobRecord, number: int = 0) -> str:
    images = (record.result or {}).get("pictures") or ()
    return str(images[number].get("infotext") or "") if number < len(images) else ""


def parameters_summary(record: JobRecord, number: int = 0) -> str:
    """Write what made a picture as other programs read it, else what was asked for of its own."""
    if infotext := _image_infotext(record, number):
        return infotext
    defaults = {option.name: option.default for option in list_job_options(JOB_TYPES[record.kind])}
    return "\n".join(
        f"{option_name(name)}: {value}"
        for name, value in record.params.items()
        if value not in (None, "") and value != defaults.get(name)
    )


def parameters_text(record: JobRecord, number: int = 0) -> str:
    """Write all that made a picture, as it is written into its file, and the job's own options."""
    options = "\n".join(f"{name}: {value}" for name, value in sorted(record.params.items()))
    return "\n\n".join(part for part in (_image_infotext(record, number), options) if part)


ORIGIN_SENTENCES = {
    FILE_ORIGIN: gettext_noop("{options} as the file beside the checkpoint says"),
    CATALOGUE_ORIGIN: gettext_noop("{options} as the catalogue says of the checkpoint"),
    FAMILY_ORIGIN: gettext_noop("{options} as checkpoints of this kind need it"),
}
"""Where what a checkpoint draws best with comes from."""


def model_defaults_note(record: JobRecord, defaults: Collection[ModelDefault]) -> str:
    """Say which of a job's options are what its checkpoint draws best with, and who says that."""
    lines = []
    for origin, sentence in ORIGIN_SENTENCES.items():
        options = ", ".join(
            f"{option_name(default.option)} {_format_default(default.value)}"
            for default in defaults
            if default.origin == origin and record.params.get(default.option) == default.value
        )
        if options:
            lines.append(f"-# {translate(sentence, options=options)}.")
    return "\n".join(lines)


def _format_default(value: float | str) -> str:
    return choice_name(value) if isinstance(value, str) else format_number(value)


def imported_job_message(tool: str, job: Job, notes: Sequence[Notice]) -> str:
    """Say what would be run here of a picture made elsewhere, and what would not be the same."""
    params = job.to_params()
    settings_line = " · ".join(
        _setting_parts(params, params["seed"] if params["seed"] >= 0 else None)
    )
    lines = [
        translate(
            "**{kind}**, as told by {tool}: {said}",
            kind=job_title(job),
            tool=escape_untrusted(tool, 40),
            said=settings_line,
        )
    ]
    lines += [f"- {escape_untrusted(translate_notice(note), 300)}" for note in notes]
    return join_limited(MAX_MESSAGE_CHARACTERS, lines)


def _result_seed(params: Mapping[str, Any], images: Sequence[Mapping[str, Any]]) -> int | None:
    for image in images:
        if image.get("seed") is not None:
            return int(image["seed"])
    seed = params.get("seed")
    return seed if isinstance(seed, int) and seed >= 0 else None


def alt_text(record: JobRecord, number: int, image_count: int, caption: str = "") -> str:
    """Describe a result for those who do not see it: its caption, its prompt, or what is shown."""
    if record.kind == "preview":
        return _mask_alt_text(record)[:MAX_ALT_TEXT_CHARACTERS]
    subject = job_title(record)
    if image_count > 1:
        subject = translate(
            "{kind}, picture {number} of {of}", kind=subject, number=number, of=image_count
        )
    words = escape_untrusted(
        caption or str(record.params.get("prompt") or ""), MAX_ALT_TEXT_CHARACTERS
    )
    if words:
        return f"{subject}: {words}"[:MAX_ALT_TEXT_CHARACTERS]
    images: Sequence[Mapping[str, Any]] = (record.result or {}).get("pictures") or ({},)
    image = images[min(number, len(images)) - 1]
    return translate(
        "Result of {which}, {width} × {height} pixels",
        which=subject,
        width=image.get("width", "?"),
        height=image.get("height", "?"),
    )


def _mask_alt_text(record: JobRecord) -> str:
    """Say which grid or mask lies over a picture, and how much of it the mask covers."""
    if record.params.get("show") != "mask":
        return translate(
            "The picture under a grid: columns A to E from the left, rows 1 to 5 from the top"
        )
    shape = escape_untrusted(str(record.params.get("mask_shape") or ""), MAX_MISSING_CHARACTERS)
    if record.params.get("mask_mode") == "not masked":
        sentence = translate("The picture with all marked but {where}", where=shape or "·")
    else:
        sentence = translate("The picture with this marked: {where}", where=shape or "·")
    notes = [translate_notice(note) for note in (record.result or {}).get("notes", ())]
    return ". ".join([sentence, *notes[:1]])


def original_kept_note(record: JobRecord) -> str:
    """Say where a picture that was made smaller can be had as it was."""
    return translate(
        "-# The original is kept: `/history job:{id}` shows it where larger files fit.",
        id=record.id[-4:],
    )


def before_alt_text() -> str:
    """Describe the picture that stands before a result."""
    return translate("Before: what the next picture was made from")


def before_note() -> str:
    """Say which picture of the two is the result."""
    return translate("-# First what it was made from, then the result.")


def sheet_help(count: int) -> str:
    """Say what the buttons under a contact sheet do."""
    return translate(
        "-# U1 to U{count} show one picture in full; V1 to V{count} make subtle variations of it.",
        count=count,
    )


def prompt_suffix(record: JobRecord, limit: int) -> str:
    """Show a job's prompt after other words, bounded; nothing where it has none."""
    quoted_prompt = inline_code(str(record.params.get("prompt") or ""), limit)
    return f" · {quoted_prompt}" if quoted_prompt else ""


MAX_MISSING_CHARACTERS = 400  # characters on models that a job waits for
MAX_CARD_PROMPT_CHARACTERS = 120  # characters of a prompt on a card, whose title is one line
MAX_ANSWER_CHARACTERS = 1200  # characters of an interrogation's words
PROGRESS_BAR_CELLS = 12  # cells of the progress bar
SURE_CONFIDENCE, UNSURE_CONFIDENCE = 0.8, 0.5  # from which an answer is sure, below which not
NO_REASON = gettext_noop("It failed without a reason.")


def received_message(job: Job | JobRecord) -> str:
    """Say at once that a command has arrived."""
    return translate("**{kind}** · reading what you sent …", kind=job_title(job))


def waiting_card(
    record: JobRecord,
    place: QueuePlace,
    *,
    workers_ready: int,
    missing: Notice | None = None,
    notes: Iterable[str] = (),
    ready_span: TimeRange | None = None,
    price: float | None = None,
) -> str:
    """Say where a new job stands, when it is ready, and what it takes in GPU-seconds."""
    if record.state is JobState.RUNNING:
        where = translate("Started.")
    elif place.position <= 1:
        where = translate("Next in the queue.")
    else:
        where = translate(
            "Number {position} in the queue, behind {ahead}.",
            position=place.position,
            ahead=place.position - 1,
        )
    if not workers_ready:
        where += " " + translate("No worker is running now; it starts as soon as one is.")
    if missing is not None:
        where += " " + missing_models_text(missing)
    return _format_card(
        record, where, _outlook_line(ready_span, price), *map(translate_notice, notes)
    )


def missing_models_text(missing: Notice) -> str:
    """Say which models a job waits for; their names are a member's words."""
    return escape_untrusted(translate_notice(missing), MAX_MISSING_CHARACTERS)


def _outlook_line(ready_span: TimeRange | None, price: float | None) -> str:
    """Say what is to be expected, small, since it is no promise."""
    parts = (
        [translate("ready in {span}", span=format_range(ready_span))]
        if ready_span is not None
        else []
    )
    if price is not None:
        seconds = f"{round(price, 1) if price < 10 else round(price):g}"
        parts.append(translate("takes about {seconds} GPU-seconds", seconds=seconds))
    if not parts:
        return ""
    return translate("-# Going by the last jobs: {outlook}", outlook=", ".join(parts))


def progress_card(record: JobRecord, step: int, steps: int) -> str:
    """Say how far a running job is."""
    share = min(1.0, step / steps) if steps > 0 else 0.0
    full = round(share * PROGRESS_BAR_CELLS)
    bar = "▰" * full + "▱" * (PROGRESS_BAR_CELLS - full)
    return _format_card(
        record, f"{bar} " + translate("step {step} of {steps}", step=step, steps=steps)
    )


def preview_alt_text(step: int, steps: int) -> str:
    """Describe an unfinished picture for those who do not see it."""
    return translate("The unfinished picture at step {step} of {steps}", step=step, steps=steps)


def result_card(record: JobRecord, notes: Iterable[str] = (), origin: str = "") -> str:
    """Say what a finished job made, with what, and after which message (a link)."""
    outcome = record.result or {}
    note_lines = [translate_notice(note) for note in (*outcome.get("notes", ()), *notes)]
    origin_note = f" · [{translate('made from this')}]({origin})" if origin else ""
    answer = _answer_block(str(outcome.get("text") or ""))
    if (confidence := description_confidence(record)) is not None:
        answer += f"\n-# {_confidence_words(confidence)}"
    small_notes = [line if line.startswith("-#") else f"-# {line}" for line in note_lines]
    return _format_card(record, answer, f"-# {summary_line(record)}{origin_note}", *small_notes)


def _confidence_words(confidence: float) -> str:
    """Say how sure a network is of what it wrote, in words and as a number."""
    number = f"{confidence:.2f}"
    if confidence >= SURE_CONFIDENCE:
        return translate("The network is sure of this ({number} of 1).", number=number)
    if confidence >= UNSURE_CONFIDENCE:
        return translate("The network is fairly sure of this ({number} of 1).", number=number)
    return translate("The network is unsure of this ({number} of 1).", number=number)


def _answer_block(text: str) -> str:
    """Show words that are the answer: a sentence as a quotation, a table as it is laid out."""
    if "\n" not in text.strip():
        return f"> {escape_untrusted(text.strip(), MAX_ANSWER_CHARACTERS)}" if text.strip() else ""
    return code_block(text, MAX_ANSWER_CHARACTERS)


def exceeds_card(text: str) -> bool:
    """Whether words are too long for a card, so that they should come as a file as well."""
    return len(text) > MAX_ANSWER_CHARACTERS


def failed_card(record: JobRecord) -> str:
    """Say why a job failed."""
    return _format_card(
        record, f"⚠️ {escape_error_text(translate_notice(record.error or NO_REASON), 800)}"
    )


def hidden_reason_card(record: JobRecord) -> str:
    """Say in public that a job could not be done, and who can see why."""
    return translate(
        "**{kind}** for <@{owner}> could not be done as asked. They alone can see why.",
        kind=job_title(record),
        owner=record.owner,
    )


def cancelled_card(record: JobRecord) -> str:
    """Say that a job was called off."""
    return _format_card(record, translate("Cancelled."))


def shown_below_note(link: str) -> str:
    """Say on a card that can no longer become the result where the result is."""
    return translate("It is done: {link}", link=link)


def not_cancelled_message(record: JobRecord) -> str:
    """Say why a job was not cancelled: it is over, or about to show what it has made."""
    if record.stopping and record.state is JobState.RUNNING:
        return translate(
            "Stopping {kind} `{id}`: what it has made so far will be shown. "
            "Cancel it once more to have nothing of it.",
            kind=job_title(record),
            id=short_id(record.id),
        )
    state = translate(STATE_LABELS[record.state])
    return translate("That {kind} is already {state}.", kind=job_title(record), state=state)


def cancelled_message(record: JobRecord) -> str:
    """Say in an answer to its owner that a job was cancelled."""
    return translate("Cancelled {kind} `{id}`.", kind=job_title(record), id=short_id(record.id))


def internal_error_message(number: str) -> str:
    """Apologise for an error of the bot's own."""
    return translate(
        "Something went wrong on Easel's side. Try again in a moment. "
        "Its keeper finds the reason in the log under `{number}`.",
        number=number,
    )


def _format_card(record: JobRecord, *lines: str) -> str:
    head = translate("**{kind}** for <@{owner}>", kind=job_title(record), owner=record.owner)
    return join_limited(
        MAX_MESSAGE_CHARACTERS, [head + prompt_suffix(record, MAX_CARD_PROMPT_CHARACTERS), *lines]
    )
