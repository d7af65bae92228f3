"""The pages of `/help`: short, each with an example to copy."""

from __future__ import annotations

from collections.abc import Mapping

START = "start"

PAGES: Mapping[str, str] = {
    START: (
        "**Easel edits pictures.** Attach one and say what you want:\n"
        "• `/img2img` repaints a picture as your words say\n"
        "• `/inpaint` repaints a part of it, `/outpaint` continues it beyond its edges\n"
        "• `/loopback` repaints it again and again\n"
        "• `/upscale` enlarges it and keeps it sharp\n"
        "• `/interrogate` describes it, `/imagine` draws one from words alone\n"
        "• `/explain` shows how a prompt is read\n"
        "• `/mask` says where to repaint, without a drawing tool\n"
        "• `/queue` shows where your jobs are, `/cancel` calls one off, `/history` what you made\n"
        "• `/again` makes a result once more, varied or changed; `/delete` takes one away\n"
        "• `/style` keeps words under a name for the option **style**\n"
        "• `/defaults` are what you take unless you say so, `/models` lists what can be run\n"
        "• `/privacy` shows or deletes what is stored of you\n"
        "• Admins have `/settings`, moderators `/moderation`\n"
        "Replies that mention me and the Apps menu of any picture work, too.\n"
        "Every option has a default: a picture alone is enough. "
        "`/help topic:` tells more about each command."
    ),
    "img2img": (
        "**/img2img** starts from your picture and repaints it.\n"
        "`/img2img image:photo.jpg prompt:a watercolour of a red apple strength:0.6`\n"
        "• **strength** is how far it may go: 0.3 keeps the shapes, 0.75 changes much, 1 forgets "
        "the picture\n"
        "• **guidance** is how closely it follows the words; 5 to 9 is usual\n"
        "• **steps** of 20 to 30 are enough for most samplers\n"
        "• the same **seed** and options make the same picture; 🔁 *Again* draws a new seed\n"
        "• **negative_prompt** says what should not be there\n"
        "• **resize_mode** says how your picture is fitted into width × height"
    ),
    "inpaint": (
        "**/inpaint** repaints a part of your picture and leaves the rest.\n"
        "`/inpaint image:photo.jpg mask:mask.png prompt:a red hat`\n"
        "`/inpaint image:photo.jpg mask_shape:left 30% prompt:a window`\n"
        "• **mask**: a picture of the same view, white where it is to be repainted; or make that "
        "part of your picture transparent\n"
        "• **mask_shape** says it in words: `left 30%`, `circle 50% 40% r20%`, `B2-D4`\n"
        "• **masked_content** is what lies there first; `fill` for something new, `original` for "
        "a change\n"
        "• **area** `only masked` works on that part at full size, with **padding** around it\n"
        "• **mask_blur** softens the edge"
    ),
    "outpaint": (
        "**/outpaint** continues your picture beyond its edges.\n"
        "`/outpaint image:photo.jpg right:128 prompt:a sandy beach`\n"
        "`/outpaint image:photo.jpg preset:zoom out 1.5x`\n"
        "• **left**, **right**, **up**, **down** in pixels, or a **preset**\n"
        "• **method** `mk2` begins with noise shaped like the picture; `poor man's` begins with "
        "what **masked_content** says"
    ),
    "loopback": (
        "**/loopback** repaints your picture, then the result, and so on.\n"
        "`/loopback image:photo.jpg prompt:a city of glass loops:6 strength:0.4`\n"
        "• **loops** says how often\n"
        "• **strength** is that of the first loop, **final_strength** of the last, **curve** how "
        "it gets there\n"
        "• **animate** answers with an animation as well"
    ),
    "interrogate": (
        "**/interrogate** describes your picture.\n"
        "`/interrogate image:photo.jpg method:caption`\n"
        "• **method** `caption` writes a sentence and the best match of each of the **lists**, "
        "`tags` writes tags above **threshold**, less those you **skip**\n"
        "• **top** is the most matches of a list, or tags; **show_ranks** writes their figures\n"
        "Press 🖌️ *Use as prompt* under the answer to draw from it."
    ),
    "imagine": (
        "**/imagine** draws a picture from words alone.\n"
        "`/imagine prompt:a red apple, watercolour`\n"
        "• **hires_scale** above 1 enlarges the picture and works on it again"
    ),
    "explain": (
        "**/explain** shows how a prompt is read, without painting: the weight of every word, what "
        "is read at which step, and what looks like a slip.\n"
        "`/explain prompt:a (red:1.3) [apple:pear:0.5]`"
    ),
    "upscale": (
        "**/upscale** enlarges a picture.\n"
        "`/upscale image:photo.jpg factor:4`\n"
        "• **factor** is how many times as wide and high; or give **width** or **height**\n"
        "• **upscaler** picks the network: type to see what this host has\n"
        "A result too large for the channel is shown as WebP or JPEG, and says so."
    ),
    "preview": (
        "**/mask** says where to repaint, without a drawing tool.\n"
        "`/mask grid image:photo.jpg`\n"
        "• **grid** shows your picture under a lettered grid: pick cells, look at the mask, press "
        "🖌️ *Go* and say what should be there\n"
        "• **preview** shows what a **mask** or a **mask_shape** marks: "
        "`/mask preview image:photo.jpg mask_shape:circle 50% 40% r20% - A1`\n"
        '• `subject`, `background`, `face` and `"the hat"` are found in it, where the host '
        "has the networks for it; 🧍 🏞️ 🙂 under the grid do so in one click\n"
        "• or **scribble** on a copy of the picture and reply to it with that and your words\n"
        "A result has the same behind 🔲 *Inpaint*."
    ),
    "pictures": (
        "**Pictures** may be PNG, JPEG, WebP or GIF. Of a moving one the first frame is used. "
        "Photographs are turned upright, and where and when they were taken is removed. "
        "A result carries its parameters in the PNG's `parameters` text, as other tools of this "
        "field read it."
    ),
    "replies": (
        "**Any picture** in a channel can be worked on.\n"
        "• right click or long press a message → **Apps** → *Describe*, *Upscale 2×*, *Edit…*, "
        "*Inpaint…*, *Parameters*\n"
        "• or reply to it, mention me and say `make it a watercolour`, `upscale 2x`, `describe`, "
        "`outpaint left 128`, `zoom out`, `inpaint left 30%: a window`, `loop 4 a city`, `again`\n"
        "Settings go anywhere: `strength 0.5`, `steps 30`, `seed 5`. Discord does not show me "
        "other people's messages that do not mention me: for those take the Apps menu."
    ),
    "mine": (
        "**What is yours**\n"
        "• `/history` lists your last jobs and opens any of them again\n"
        "• `/defaults set steps:30 strength:0.5` is what your painting commands take where you "
        "leave the option out; `show` and `clear` go with it\n"
        "• `/privacy show` says what is stored of you, `/privacy forget` deletes all of it, "
        "`/privacy messages` lets results whose channel is closed come to you directly\n"
        "• `/models` lists what can be run here"
    ),
    "buttons": (
        "**Buttons** under a message work for its owner, at any time, also after a restart.\n"
        "• 🔁 *Again* makes the same with a new seed\n"
        "• 🎲 *Vary* keeps the seed and changes a little, or clearly\n"
        "• ✏️ *Edit* shows a form with the words and numbers filled in\n"
        "• 🔍 *Upscale 2×*, 🔲 *Inpaint*, ↔️ *Outpaint*, 💬 *Describe* go on from the picture\n"
        "• of a contact sheet, *U1* … shows one picture in full and *V1* … varies it\n"
        "• 📋 *Parameters* shows all that made it\n"
        "• ✖️ *Cancel* calls a waiting or running job off\n"
        "• 🗑️ *Delete* takes a result away; moderators may, too\n"
        "`/queue` offers results that could not be shown, with 📬 *Show result*."
    ),
}
"""Topic to page; each fits one message."""
