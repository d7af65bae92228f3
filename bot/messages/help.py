"""The pages of `/help`: short, each with an example to copy."""

from __future__ import annotations

from collections.abc import Mapping

from bot.i18n import translate
from bot.i18n.message import gettext_noop

START_TOPIC = "start"

HELP_PAGES: Mapping[str, tuple[str, ...]] = {
    START_TOPIC: (
        gettext_noop("**Easel edits pictures.** Attach one and say what you want:"),
        gettext_noop("• `/img2img` repaints a picture as your words say"),
        gettext_noop(
            "• `/inpaint` repaints a part of it, `/outpaint` continues it beyond its edges"
        ),
        gettext_noop(
            "• `/edit` changes it by an instruction, `/loopback` repaints it again and again"
        ),
        gettext_noop("• `/upscale` enlarges it, `/redraw` paints its detail anew as well"),
        gettext_noop("• `/interrogate` describes it, `/imagine` draws one from words alone"),
        gettext_noop("• `/explain` shows how a prompt is read"),
        gettext_noop("• `/mask` says where to repaint, without a drawing tool"),
        gettext_noop(
            "• `/queue` shows where your jobs are, `/cancel` calls one off, `/history` what "
            "you made"
        ),
        gettext_noop(
            "• `/again` makes a result once more, varied or changed; `/delete` takes one away"
        ),
        gettext_noop("• `/style` keeps words under a name for the option **style**"),
        gettext_noop(
            "• `/defaults` are what you take unless you say so, `/models` lists what can be run"
        ),
        gettext_noop("• `/privacy` shows or deletes what is stored of you"),
        gettext_noop(
            "• Admins have `/settings`, moderators `/moderation`, Easel's keeper `/access`"
        ),
        gettext_noop("Replies that mention me and the Apps menu of any picture work, too."),
        gettext_noop(
            "Every option has a default: a picture alone is enough. `/help topic:` tells more "
            "about each command."
        ),
    ),
    "img2img": (
        gettext_noop("**/img2img** starts from your picture and repaints it."),
        gettext_noop("`/img2img image:photo.jpg prompt:a watercolour of a red apple strength:0.6`"),
        gettext_noop(
            "• **strength** is how far it may go: 0.3 keeps the shapes, 0.75 changes much, 1 "
            "forgets the picture"
        ),
        gettext_noop("• **guidance** is how closely it follows the words; 5 to 9 is usual"),
        gettext_noop("• **steps** of 20 to 30 are enough for most samplers"),
        gettext_noop(
            "• the same **seed** and options make the same picture; 🔁 *Again* draws a new seed"
        ),
        gettext_noop("• **negative_prompt** says what should not be there"),
        gettext_noop("• **resize_mode** says how your picture is fitted into width × height"),
    ),
    "inpaint": (
        gettext_noop("**/inpaint** repaints a part of your picture and leaves the rest."),
        gettext_noop("`/inpaint image:photo.jpg mask:mask.png prompt:a red hat`"),
        gettext_noop("`/inpaint image:photo.jpg mask_shape:left 30% prompt:a window`"),
        gettext_noop(
            "• **mask**: a picture of the same view, white where it is to be repainted; or "
            "make that part of your picture transparent"
        ),
        gettext_noop(
            "• **mask_shape** says it in words: `left 30%`, `circle 50% 40% r20%`, `B2-D4`"
        ),
        gettext_noop(
            "• **masked_content** is what lies there first; `fill` for something new, "
            "`original` for a change"
        ),
        gettext_noop(
            "• **area** `only masked` works on that part at full size, with **padding** around it"
        ),
        gettext_noop("• **mask_blur** softens the edge"),
    ),
    "edit": (
        gettext_noop("**/edit** changes your picture by an instruction."),
        gettext_noop("`/edit image:photo.jpg instruction:make it night`"),
        gettext_noop(
            "• **mask** or **mask_shape**: only that part changes, the rest stays as it is"
        ),
        gettext_noop(
            "• **image_guidance** higher keeps closer to the picture, **guidance** higher to the "
            "instruction"
        ),
    ),
    "outpaint": (
        gettext_noop("**/outpaint** continues your picture beyond its edges."),
        gettext_noop("`/outpaint image:photo.jpg right:128 prompt:a sandy beach`"),
        gettext_noop("`/outpaint image:photo.jpg preset:zoom out 1.5x`"),
        gettext_noop("• **left**, **right**, **up**, **down** in pixels, or a **preset**"),
        gettext_noop(
            "• **method** `mk2` begins with noise shaped like the picture; `poor man's` begins "
            "with what **masked_content** says"
        ),
    ),
    "loopback": (
        gettext_noop("**/loopback** repaints your picture, then the result, and so on."),
        gettext_noop("`/loopback image:photo.jpg prompt:a city of glass loops:6 strength:0.4`"),
        gettext_noop("• **loops** says how often"),
        gettext_noop(
            "• **strength** is that of the first loop, **final_strength** of the last, "
            "**curve** how it gets there"
        ),
        gettext_noop("• **animate** answers with an animation as well"),
    ),
    "interrogate": (
        gettext_noop("**/interrogate** describes your picture."),
        gettext_noop("`/interrogate image:photo.jpg method:caption`"),
        gettext_noop(
            "• **method** `caption` writes a sentence and the best match of each of the "
            "**lists**, `tags` writes tags above **threshold**, less those you **skip**"
        ),
        gettext_noop(
            "• **top** is the most matches of a list, or tags; **show_ranks** writes their figures"
        ),
        gettext_noop("Press 🖌️ *Use as prompt* under the answer to draw from it."),
    ),
    "imagine": (
        gettext_noop("**/imagine** draws a picture from words alone."),
        gettext_noop("`/imagine prompt:a red apple, watercolour`"),
        gettext_noop("• **hires_scale** above 1 enlarges the picture and works on it again"),
    ),
    "explain": (
        gettext_noop(
            "**/explain** shows how a prompt is read, without painting: the weight of every "
            "word, what is read at which step, and what looks like a slip."
        ),
        gettext_noop("`/explain prompt:a (red:1.3) [apple:pear:0.5]`"),
    ),
    "upscale": (
        gettext_noop("**/upscale** enlarges a picture."),
        gettext_noop("`/upscale image:photo.jpg factor:4`"),
        gettext_noop(
            "• **factor** is how many times as wide and high; or give **width** or **height**"
        ),
        gettext_noop("• **upscaler** picks the network: type to see what this host has"),
        gettext_noop("A result too large for the channel is shown as WebP or JPEG, and says so."),
    ),
    "redraw": (
        gettext_noop(
            "**/redraw** enlarges a picture, then paints its detail anew, tile by tile (SD "
            "upscale)."
        ),
        gettext_noop("`/redraw image:photo.jpg prompt:a red apple strength:0.25`"),
        gettext_noop(
            "• **prompt** says what the whole picture shows; each tile is painted with it"
        ),
        gettext_noop(
            "• **strength** of 0.2 to 0.4 keeps what is there; above, tiles may each show all of "
            "the prompt"
        ),
        gettext_noop("• **factor**, **upscaler** and the sizes are those of `/upscale`"),
        gettext_noop("• **overlap** is how much neighbouring tiles share, against seams"),
        gettext_noop("*Redraw 2×* under a result does it with that result's words."),
    ),
    "more": (
        gettext_noop(
            "Discord shows at most 25 options of a command. All others stand in the option "
            "**more**, as name: value, with commas between:"
        ),
        gettext_noop("`/img2img image:photo.jpg prompt:a fox more:clip_skip: 2, rng: NV`"),
        gettext_noop("• begin to type a name there, and Discord shows what it is"),
        gettext_noop(
            "• ✏️ *Edit*, 🖌️ *Go* and the Apps menu show all of them in their last field, a line "
            "each, filled in"
        ),
    ),
    "preview": (
        gettext_noop("**/mask** says where to repaint, without a drawing tool."),
        gettext_noop("`/mask grid image:photo.jpg`"),
        gettext_noop(
            "• **grid** shows your picture under a lettered grid: pick cells, look at the "
            "mask, press 🖌️ *Go* and say what should be there"
        ),
        gettext_noop(
            "• **preview** shows what a **mask** or a **mask_shape** marks: `/mask preview "
            "image:photo.jpg mask_shape:circle 50% 40% r20% - A1`"
        ),
        gettext_noop(
            '• `subject`, `background`, `face` and `"the hat"` are found in it, where the host '
            "has the networks for it; 🧍 🏞️ 🙂 under the grid do so in one click"
        ),
        gettext_noop(
            "• or **scribble** on a copy of the picture and reply to it with that and your words"
        ),
        gettext_noop("A result has the same behind 🔲 *Inpaint*."),
    ),
    "pictures": (
        gettext_noop(
            "**Pictures** may be PNG, JPEG, WebP or GIF. Of a moving one the first frame is "
            "used. Photographs are turned upright, and where and when they were taken is "
            "removed. A result carries its parameters in the PNG's `parameters` text, as other "
            "tools of this field read it."
        ),
    ),
    "replies": (
        gettext_noop("**Any picture** in a channel can be worked on."),
        gettext_noop(
            "• right click or long press a message → **Apps** → *Describe*, *Upscale 2×*, "
            "*Edit…*, *Inpaint…*, *Parameters*"
        ),
        gettext_noop(
            "• or reply to it, mention me and say `make it a watercolour`, `upscale 2x`, "
            "`redraw 2x`, `describe`, `outpaint left 128`, `zoom out`, "
            "`inpaint left 30%: a window`, `loop 4 a city`, `again`"
        ),
        gettext_noop(
            "Settings go anywhere: `strength 0.5`, `steps 30`, `seed 5`. Discord does not show "
            "me other people's messages that do not mention me: for those take the Apps menu."
        ),
    ),
    "mine": (
        gettext_noop("**What is yours**"),
        gettext_noop("• `/history` lists your last jobs and opens any of them again"),
        gettext_noop(
            "• `/defaults set steps:30 strength:0.5` is what your painting commands take where "
            "you leave the option out; `show` and `clear` go with it"
        ),
        gettext_noop(
            "• `/privacy show` says what is stored of you, `/privacy forget` deletes all of "
            "it, `/privacy messages` lets results whose channel is closed come to you directly"
        ),
        gettext_noop("• `/models` lists what can be run here"),
    ),
    "buttons": (
        gettext_noop(
            "**Buttons** under a message work for its owner, at any time, also after a restart."
        ),
        gettext_noop("• 🔁 *Again* makes the same with a new seed"),
        gettext_noop("• 🎲 *Vary* keeps the seed and changes a little, or clearly"),
        gettext_noop("• ✏️ *Edit* shows a form with the words and numbers filled in"),
        gettext_noop(
            "• 🔍 *Upscale 2×*, 🔲 *Inpaint*, ↔️ *Outpaint*, 💬 *Describe* go on from the picture"
        ),
        gettext_noop("• of a contact sheet, *U1* … shows one picture in full and *V1* … varies it"),
        gettext_noop("• 📋 *Parameters* shows all that made it"),
        gettext_noop("• ✖️ *Cancel* calls a waiting or running job off"),
        gettext_noop("• 🗑️ *Delete* takes a result away; moderators may, too"),
        gettext_noop("`/queue` offers results that could not be shown, with 📬 *Show result*."),
    ),
}
"""Topic to lines; each page fits one message in every language."""


def help_page_text(topic: str) -> str:
    """Write a page."""
    return "\n".join(map(translate, HELP_PAGES[topic]))
