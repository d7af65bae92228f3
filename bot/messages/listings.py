"""What a member has, and what there is: queue, history, models, defaults, styles."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from bot.dispatcher.estimation import TimeRange, format_range
from bot.i18n import option_name, translate, translate_notice, translate_plural
from bot.i18n.message import gettext_noop
from bot.messages.escaping import (
    MAX_MESSAGE_CHARACTERS,
    escape_untrusted,
    inline_code,
    join_limited,
)
from bot.messages.job_status import (
    STATE_LABELS,
    job_title,
    missing_models_text,
    prompt_suffix,
    short_id,
)
from inference.api.messages import ModelInfo
from inference.api.notices import Notice
from storage.guilds import PromptStyle
from storage.records import JobRecord, JobState, QueuePlace

#: Why a place is what it is.
QUEUE_ORDER_NOTE = gettext_noop(
    "-# Next is whoever was served least while others waited, counted in the work that their "
    "models really ran and by the share of their roles. Jobs of one member go in the order asked."
)
MODEL_KINDS = {
    "diffusion": gettext_noop("checkpoints"),
    "upscaler": gettext_noop("upscalers"),
    "face_restorer": gettext_noop("face restorers"),
    "colouriser": gettext_noop("colourisers"),
    "captioner": gettext_noop("captioners"),
    "tagger": gettext_noop("taggers"),
    "ranker": gettext_noop("rankers"),
    "mask": gettext_noop("mask networks"),
    "lora": gettext_noop("LoRAs"),
    "control": gettext_noop("ControlNets"),
    "preprocessor": gettext_noop("preprocessors"),
}
LORA_KIND = "lora"


def queue_line(
    record: JobRecord,
    place: QueuePlace | None,
    ready_span: TimeRange | None = None,
    missing: Notice | None = None,
) -> str:
    """Describe one of a member's jobs in a list: where it stands, behind whom, and until when.

    `missing` says which models it waits for.
    """
    if record.state is JobState.RUNNING:
        where = translate("stopping") if record.stopping else translate(STATE_LABELS[record.state])
        if record.steps:
            where += ", " + translate(
                "step {step} of {steps}", step=record.step, steps=record.steps
            )
    elif record.state is JobState.QUEUED and place is not None:
        where = translate(
            "number {position} in the queue", position=place.position
        ) + _jobs_ahead_note(place)
    else:
        note = escape_untrusted(translate_notice(record.delivery_note or ""), 100)
        where = translate(
            "{state}; could not be shown: {note}",
            state=translate(STATE_LABELS[record.state]),
            note=note,
        )
    if missing is not None:
        where += f". {missing_models_text(missing)}"
    elif ready_span is not None:
        where += ", " + translate("ready in {span}", span=format_range(ready_span))
    asked_at_note = translate(
        "asked {moment}", moment=f"<t:{int(record.created_at.timestamp())}:R>"
    )
    return (
        f"`{short_id(record.id)}` **{job_title(record)}** {where} · "
        f"{asked_at_note}{prompt_suffix(record, 60)}"
    )


def _jobs_ahead_note(place: QueuePlace) -> str:
    """Say whose jobs go first."""
    others_ahead = max(0, place.position - 1 - place.own_jobs_ahead)
    if place.own_jobs_ahead and others_ahead:
        words = translate(
            "behind {own} of your own and {others} of other members",
            own=place.own_jobs_ahead,
            others=others_ahead,
        )
    elif place.own_jobs_ahead:
        words = translate("behind {own} of your own", own=place.own_jobs_ahead)
    else:
        words = (
            translate("behind {others} of other members", others=others_ahead)
            if others_ahead
            else ""
        )
    return f", {words}" if words else ""


def queue_overview(
    lines: Sequence[str],
    queued_jobs: int,
    running_jobs: int,
    workers_ready: int,
    *,
    explain: bool = False,
) -> str:
    """Describe the queue to a member; with `explain` also by what rule it is served."""
    workers = translate_plural(workers_ready, "1 worker ready", "{count} workers ready")
    head = translate(
        "{running} running, {queued} waiting, {workers}.",
        running=running_jobs,
        queued=queued_jobs,
        workers=workers if workers_ready else translate("no workers ready"),
    )
    member_lines = list(lines) or [translate("You have nothing in the queue.")]
    return join_limited(
        MAX_MESSAGE_CHARACTERS,
        [head, *member_lines, translate(QUEUE_ORDER_NOTE) if explain else ""],
    )


def history_list(
    records: Sequence[JobRecord], first_number: int, total: int, starred_ids: Collection[str] = ()
) -> str:
    """List a member's results of one page, newest first, by the numbers on their thumbnails."""
    head = translate(
        "**Your pictures** · {first} to {last} of {total}",
        first=first_number,
        last=first_number + len(records) - 1,
        total=total,
    )
    lines = [
        _history_line(record, place, is_starred=record.id in starred_ids)
        for place, record in enumerate(records, start=1)
    ]
    note = translate("-# Any other job, as a description or one that failed: `/history job:`")
    return join_limited(MAX_MESSAGE_CHARACTERS, [head, *lines, note])


def _history_line(record: JobRecord, place: int, *, is_starred: bool) -> str:
    moment = f"<t:{int((record.finished_at or record.created_at).timestamp())}:R>"
    parent_note = f" · {translate('from …{id}', id=record.parent[-4:])}" if record.parent else ""
    star = "⭐ " * is_starred
    line = f"**{place}** {star}{short_id(record.id)} {job_title(record)} · {moment}{parent_note}"
    return line + prompt_suffix(record, 60)


def model_list(
    model_infos: Collection[ModelInfo],
    worker_counts: Mapping[tuple[str, str], int],
    workers: int,
) -> str:
    """List what the workers can run, kind by kind; of what some lack, how many have it.

    `worker_counts` says by kind and name how many of the `workers` have a model.
    """

    def share_note(model: ModelInfo) -> str:
        count = worker_counts[model.kind, model.name]
        note = translate("{count} of {total} cards", count=count, total=workers)
        return f" ({note})" if count < workers else ""

    kinds: dict[str, list[str]] = {}
    loras = sorted(
        (model for model in model_infos if model.kind == LORA_KIND), key=lambda model: model.name
    )
    other_models = (model for model in model_infos if model.kind != LORA_KIND)
    for model in sorted(other_models, key=lambda model: (model.kind, model.name.casefold())):
        size = f"× {model.size}" if model.kind == "upscaler" else f"{model.size} px"
        model_label = f"`{model.name}`" + (f" {size}" if model.size else "")
        about_note = f" – {translate_notice(model.about)}" if model.about else ""
        kinds.setdefault(model.kind, []).append(model_label + about_note + share_note(model))
    if loras:  # last and on one line: there may be very many
        kinds[LORA_KIND] = [" ".join(f"`{model.name}`{share_note(model)}" for model in loras)]
    lines = [
        line
        for kind, names in kinds.items()
        for line in (f"**{translate(MODEL_KINDS.get(kind, kind))}**", *names)
    ]
    return join_limited(
        MAX_MESSAGE_CHARACTERS,
        lines or [translate("No worker is ready, so nothing can be run now.")],
    )


def defaults_list(member_defaults: Mapping[str, Any]) -> str:
    """Show a member's defaults."""
    lines = [
        f"{option_name(name)}: {inline_code(str(value), 200)}"
        for name, value in member_defaults.items()
        if name not in ("styles", "direct_messages", "ask_first")
    ]
    if member_defaults.get("ask_first"):
        lines.append(translate("🔁 *Again*, 🎲 *Vary* and ↔️ *Outpaint* ask first."))
    default_lines = lines or [translate("None: Easel's own are taken.")]
    return join_limited(MAX_MESSAGE_CHARACTERS, [translate("**Your defaults**"), *default_lines])


def style_list(
    member_styles: Mapping[str, PromptStyle], guild_styles: Iterable[PromptStyle]
) -> str:
    """List a member's styles and their server's."""
    lines = []
    for head, group_styles in (
        (translate("**Yours**"), [*member_styles.values()]),
        (translate("**The server's**"), [*guild_styles]),
    ):
        style_lines = [
            f"{inline_code(style.name, 50)} {inline_code(style.prompt, 100)}"
            for style in group_styles
        ]
        lines += [head, *style_lines] if style_lines else []
    return join_limited(
        MAX_MESSAGE_CHARACTERS,
        lines or [translate("There is no style yet: `/style save` makes one.")],
    )
