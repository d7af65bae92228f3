"""The pages of `/help`: short, each with an example to copy."""

from __future__ import annotations

from collections.abc import Mapping

from bot.locales import say
from bot.sentences import english

START = "start"

PAGES: Mapping[str, tuple[str, ...]] = {
    START: (
        english("**Easel edits pictures.** Attach one and say what you want:"),
        english("• `/img2img` repaints a picture as your words say"),
        english("• `/inpaint` repaints a part of it, `/outpaint` continues it beyond its edges"),
        english("• `/loopback` repaints it again and again"),
        english("• `/upscale` enlarges it and keeps it sharp"),
        english("• `/interrogate` describes it, `/imagine` draws one from words alone"),
        english("• `/explain` shows how a prompt is read"),
        english("• `/mask` says where to repaint, without a drawing tool"),
        english(
            "• `/queue` shows where your jobs are, `/cancel` calls one off, `/history` what "
            "you made"
        ),
        english("• `/again` makes a result once more, varied or changed; `/delete` takes one away"),
        english("• `/style` keeps words under a name for the option **style**"),
        english(
            "• `/defaults` are what you take unless you say so, `/models` lists what can be run"
        ),
        english("• `/privacy` shows or deletes what is stored of you"),
        english("• Admins have `/settings`, moderators `/moderation`"),
        english("Replies that mention me and the Apps menu of any picture work, too."),
        english(
            "Every option has a default: a picture alone is enough. `/help topic:` tells more "
            "about each command."
        ),
    ),
    "img2img": (
        english("**/img2img** starts from your picture and repaints it."),
        english("`/img2img image:photo.jpg prompt:a watercolour of a red apple strength:0.6`"),
        english(
            "• **strength** is how far it may go: 0.3 keeps the shapes, 0.75 changes much, 1 "
            "forgets the picture"
        ),
        english("• **guidance** is how closely it follows the words; 5 to 9 is usual"),
        english("• **steps** of 20 to 30 are enough for most samplers"),
        english(
            "• the same **seed** and options make the same picture; 🔁 *Again* draws a new seed"
        ),
        english("• **negative_prompt** says what should not be there"),
        english("• **resize_mode** says how your picture is fitted into width × height"),
    ),
    "inpaint": (
        english("**/inpaint** repaints a part of your picture and leaves the rest."),
        english("`/inpaint image:photo.jpg mask:mask.png prompt:a red hat`"),
        english("`/inpaint image:photo.jpg mask_shape:left 30% prompt:a window`"),
        english(
            "• **mask**: a picture of the same view, white where it is to be repainted; or "
            "make that part of your picture transparent"
        ),
        english("• **mask_shape** says it in words: `left 30%`, `circle 50% 40% r20%`, `B2-D4`"),
        english(
            "• **masked_content** is what lies there first; `fill` for something new, "
            "`original` for a change"
        ),
        english(
            "• **area** `only masked` works on that part at full size, with **padding** around it"
        ),
        english("• **mask_blur** softens the edge"),
    ),
    "outpaint": (
        english("**/outpaint** continues your picture beyond its edges."),
        english("`/outpaint image:photo.jpg right:128 prompt:a sandy beach`"),
        english("`/outpaint image:photo.jpg preset:zoom out 1.5x`"),
        english("• **left**, **right**, **up**, **down** in pixels, or a **preset**"),
        english(
            "• **method** `mk2` begins with noise shaped like the picture; `poor man's` begins "
            "with what **masked_content** says"
        ),
    ),
    "loopback": (
        english("**/loopback** repaints your picture, then the result, and so on."),
        english("`/loopback image:photo.jpg prompt:a city of glass loops:6 strength:0.4`"),
        english("• **loops** says how often"),
        english(
            "• **strength** is that of the first loop, **final_strength** of the last, "
            "**curve** how it gets there"
        ),
        english("• **animate** answers with an animation as well"),
    ),
    "interrogate": (
        english("**/interrogate** describes your picture."),
        english("`/interrogate image:photo.jpg method:caption`"),
        english(
            "• **method** `caption` writes a sentence and the best match of each of the "
            "**lists**, `tags` writes tags above **threshold**, less those you **skip**"
        ),
        english(
            "• **top** is the most matches of a list, or tags; **show_ranks** writes their figures"
        ),
        english("Press 🖌️ *Use as prompt* under the answer to draw from it."),
    ),
    "imagine": (
        english("**/imagine** draws a picture from words alone."),
        english("`/imagine prompt:a red apple, watercolour`"),
        english("• **hires_scale** above 1 enlarges the picture and works on it again"),
    ),
    "explain": (
        english(
            "**/explain** shows how a prompt is read, without painting: the weight of every "
            "word, what is read at which step, and what looks like a slip."
        ),
        english("`/explain prompt:a (red:1.3) [apple:pear:0.5]`"),
    ),
    "upscale": (
        english("**/upscale** enlarges a picture."),
        english("`/upscale image:photo.jpg factor:4`"),
        english("• **factor** is how many times as wide and high; or give **width** or **height**"),
        english("• **upscaler** picks the network: type to see what this host has"),
        english("A result too large for the channel is shown as WebP or JPEG, and says so."),
    ),
    "preview": (
        english("**/mask** says where to repaint, without a drawing tool."),
        english("`/mask grid image:photo.jpg`"),
        english(
            "• **grid** shows your picture under a lettered grid: pick cells, look at the "
            "mask, press 🖌️ *Go* and say what should be there"
        ),
        english(
            "• **preview** shows what a **mask** or a **mask_shape** marks: `/mask preview "
            "image:photo.jpg mask_shape:circle 50% 40% r20% - A1`"
        ),
        english(
            '• `subject`, `background`, `face` and `"the hat"` are found in it, where the host '
            "has the networks for it; 🧍 🏞️ 🙂 under the grid do so in one click"
        ),
        english(
            "• or **scribble** on a copy of the picture and reply to it with that and your words"
        ),
        english("A result has the same behind 🔲 *Inpaint*."),
    ),
    "pictures": (
        english(
            "**Pictures** may be PNG, JPEG, WebP or GIF. Of a moving one the first frame is "
            "used. Photographs are turned upright, and where and when they were taken is "
            "removed. A result carries its parameters in the PNG's `parameters` text, as other "
            "tools of this field read it."
        ),
    ),
    "replies": (
        english("**Any picture** in a channel can be worked on."),
        english(
            "• right click or long press a message → **Apps** → *Describe*, *Upscale 2×*, "
            "*Edit…*, *Inpaint…*, *Parameters*"
        ),
        english(
            "• or reply to it, mention me and say `make it a watercolour`, `upscale 2x`, "
            "`describe`, `outpaint left 128`, `zoom out`, `inpaint left 30%: a window`, `loop "
            "4 a city`, `again`"
        ),
        english(
            "Settings go anywhere: `strength 0.5`, `steps 30`, `seed 5`. Discord does not show "
            "me other people's messages that do not mention me: for those take the Apps menu."
        ),
    ),
    "mine": (
        english("**What is yours**"),
        english("• `/history` lists your last jobs and opens any of them again"),
        english(
            "• `/defaults set steps:30 strength:0.5` is what your painting commands take where "
            "you leave the option out; `show` and `clear` go with it"
        ),
        english(
            "• `/privacy show` says what is stored of you, `/privacy forget` deletes all of "
            "it, `/privacy messages` lets results whose channel is closed come to you directly"
        ),
        english("• `/models` lists what can be run here"),
    ),
    "buttons": (
        english(
            "**Buttons** under a message work for its owner, at any time, also after a restart."
        ),
        english("• 🔁 *Again* makes the same with a new seed"),
        english("• 🎲 *Vary* keeps the seed and changes a little, or clearly"),
        english("• ✏️ *Edit* shows a form with the words and numbers filled in"),
        english(
            "• 🔍 *Upscale 2×*, 🔲 *Inpaint*, ↔️ *Outpaint*, 💬 *Describe* go on from the picture"
        ),
        english("• of a contact sheet, *U1* … shows one picture in full and *V1* … varies it"),
        english("• 📋 *Parameters* shows all that made it"),
        english("• ✖️ *Cancel* calls a waiting or running job off"),
        english("• 🗑️ *Delete* takes a result away; moderators may, too"),
        english("`/queue` offers results that could not be shown, with 📬 *Show result*."),
    ),
}
"""Topic to lines; each page fits one message in every language."""


def page(topic: str) -> str:
    """Write a page."""
    return "\n".join(map(say, PAGES[topic]))
