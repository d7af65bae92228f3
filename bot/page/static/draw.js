// The page to draw on: what the bot says of a picture, the tools, what is sent back.

import { Mask } from "./mask.js";
import { ask, dressButton, fill, sayTexts, showNotice, takeToken } from "./page.js";
import { Pointers } from "./pointers.js";
import { chooseRegion } from "./region.js";
import { View } from "./view.js";

const byId = (id) => document.getElementById(id);
const KEYS = { b: "brush", e: "eraser", l: "lasso", r: "rectangle", m: "pan" };
const DRAFT = "easel-draft";
const PAIRED = ["masked_content", "area", "mask_blur", "padding"];

class Desk {
  constructor(token, state, bitmap) {
    Object.assign(this, { token, state, texts: state.texts, fields: {}, current: "brush" });
    sayTexts(this.texts);
    byId("desk").hidden = false;
    this.showPicture(bitmap);
    this.mask = new Mask(byId("mask"), state.mask.width, state.mask.height);
    this.takeDraft();
    this.buildFields();
    this.buildTools();
    this.view = new View(byId("viewport"), byId("stage"), state.picture.width,
      state.picture.height, () => { this.showFrame(); this.moved(this.cursorAt); });
    this.pointers = new Pointers(byId("viewport"), this);
    byId("form").addEventListener("submit", (event) => { event.preventDefault(); this.send(); });
    byId("form").addEventListener("input", () => this.showFrame());
    document.addEventListener("keydown", (event) => this.shortcut(event));
    this.changed();
  }

  /** Go on with what was drawn before the page was loaded again. */
  takeDraft() {
    const draft = sessionStorage.getItem(`${DRAFT}:${this.token}`);
    try { if (draft) this.mask.draft = draft; } catch { /* of another version of this page */ }
  }

  keepDraft() {
    // Of a drawing beyond what the browser keeps, what was kept last stays.
    try { sessionStorage.setItem(`${DRAFT}:${this.token}`, this.mask.draft); } catch { /* full */ }
  }

  showPicture(bitmap) {
    const canvas = byId("picture");
    canvas.width = bitmap.width;
    canvas.height = bitmap.height;
    canvas.getContext("2d").drawImage(bitmap, 0, 0);
    bitmap.close();
  }

  // What the tools need to know.

  tool() { return this.current; }

  brush(erases) {
    const factor = this.mask.width / this.state.picture.width;
    const size = Math.max(1, Number(byId("size").value) * factor);
    const erase = erases || this.current === "eraser";
    const tool = erases || this.current === "eraser" ? "brush" : this.current;
    return { tool, erase, size, softness: size * Number(byId("softness").value) / 400 };
  }

  /** Say what is marked, after each step. */
  changed() {
    const { box, share } = this.mask.measure();
    this.box = box;
    byId("desk").querySelector("[data-action=undo]").disabled = !this.mask.canUndo;
    byId("desk").querySelector("[data-action=redo]").disabled = !this.mask.canRedo;
    const percent = (share * 100).toFixed(share < 0.1 ? 1 : 0);
    this.summary = box ? fill(this.texts.marked, { share: percent }) : this.texts.nothingDrawn;
    this.showFrame();
    this.keepDraft();
  }

  say(words) { byId("report").textContent = words; }

  /** Show where the brush is and how large. */
  moved(point) {
    this.cursorAt = point;
    const cursor = byId("cursor");
    cursor.hidden = !point || !["brush", "eraser"].includes(this.current);
    if (cursor.hidden) return;
    const factor = this.state.picture.width / this.mask.width;
    const size = Number(byId("size").value);
    Object.assign(cursor.style, {
      left: `${point.x * factor - size / 2}px`, top: `${point.y * factor - size / 2}px`,
      width: `${size}px`, height: `${size}px`, borderWidth: `${1.5 / (this.view?.scale ?? 1)}px`,
    });
  }

  /** Show the box that "only masked" works on, and by how much it is enlarged. */
  showFrame() {
    const frame = byId("frame");
    const shows = this.box && this.fields.area?.value === "only masked";
    frame.hidden = !shows;
    this.say(this.summary ?? "");
    if (!shows) return;
    const { picture, render } = this.state;
    const factor = picture.width / this.mask.width;
    const box = {
      left: Math.floor(this.box.left * factor), right: Math.ceil(this.box.right * factor),
      upper: Math.floor(this.box.upper * factor), lower: Math.ceil(this.box.lower * factor),
    };
    const region = chooseRegion(box, picture, render, Number(this.fields.mask_blur.value) || 0,
      Number(this.fields.padding.value) || 0);
    Object.assign(frame.style, {
      left: `${region.left}px`, top: `${region.upper}px`,
      width: `${region.right - region.left}px`, height: `${region.lower - region.upper}px`,
      borderWidth: `${2 / (this.view?.scale ?? 1)}px`,
    });
    frame.dataset.box = [region.left, region.upper, region.right, region.lower].join(" ");
    const gain = fill(this.texts.gain, { gain: region.gain.toFixed(1) });
    this.say(`${this.summary} ${gain}`);
  }

  // The tools.

  buildTools() {
    for (const button of document.querySelectorAll("[data-tool]")) {
      dressButton(button, button.dataset.tool, this.texts[button.dataset.tool]);
      button.addEventListener("click", () => this.choose(button.dataset.tool));
    }
    for (const button of document.querySelectorAll("[data-action]")) {
      dressButton(button, button.dataset.action, this.texts[button.dataset.action]);
      button.addEventListener("click", () => this.act(button.dataset.action));
    }
    const side = Math.max(this.state.picture.width, this.state.picture.height);
    byId("size").max = Math.max(16, Math.round(side / 3));
    byId("size").value = Math.max(4, Math.round(side / 12));
    byId("softness").addEventListener("input", () => {
      // What is soft counts as it was drawn with soft inpainting alone.
      if (Number(byId("softness").value) > 0 && !this.softChosen) this.fields.soft.checked = true;
    });
    this.fields.soft.addEventListener("change", () => { this.softChosen = true; });
  }

  choose(tool) {
    this.current = tool;
    for (const button of document.querySelectorAll("[data-tool]")) {
      button.setAttribute("aria-pressed", String(button.dataset.tool === tool));
    }
    byId("viewport").style.cursor = tool === "pan" ? "grab" : "crosshair";
    this.moved(null);
  }

  act(action) {
    switch (action) {
      case "undo": this.mask.undo(); break;
      case "redo": this.mask.redo(); break;
      case "invert": case "clear": this.mask.apply(action); break;
      case "zoomIn": this.view.zoom(1.25); return;
      case "zoomOut": this.view.zoom(0.8); return;
      case "zoomFit": this.view.fit(); return;
    }
    this.changed();
  }

  shortcut(event) {
    const writes = event.target.closest("input:not([type=range]):not([type=checkbox]), textarea, select");
    const command = event.ctrlKey || event.metaKey;
    if (command && event.key === "Enter") { event.preventDefault(); this.send(); return; }
    if (writes || byId("desk").hidden) return;
    if (command && event.key.toLowerCase() === "z") {
      event.preventDefault();
      this.act(event.shiftKey ? "redo" : "undo");
    } else if (command && event.key.toLowerCase() === "y") {
      event.preventDefault();
      this.act("redo");
    } else if (!command && !event.altKey) {
      const size = byId("size"), key = event.key.toLowerCase();
      if (KEYS[key]) this.choose(KEYS[key]);
      else if (key === "i") this.act("invert");
      else if (key === "+") this.act("zoomIn");
      else if (key === "-") this.act("zoomOut");
      else if (key === "0") this.act("zoomFit");
      else if (key === "[") size.value = Math.floor(Number(size.value) * 0.8);
      else if (key === "]") size.value = Math.ceil(Number(size.value) * 1.25);
      this.moved(this.cursorAt);
    }
  }

  // The form.

  buildFields() {
    const pair = document.createElement("div");
    pair.className = "pair";
    for (const option of this.state.options) {
      const field = this.buildField(option);
      if (option.name === PAIRED[0]) byId("fields").append(pair);
      (PAIRED.includes(option.name) ? pair : byId("fields")).append(field);
    }
    byId("more").value = this.state.more;
  }

  buildField(option) {
    const field = document.createElement("div"), label = document.createElement("label");
    const input = this.buildInput(option);
    field.className = `field ${option.kind}`;
    input.id = `field-${option.name}`;
    input.title = option.help;
    label.htmlFor = input.id;
    label.textContent = this.texts[option.name];
    if (option.kind === "switch") field.append(input, label);
    else field.append(label, input);
    this.fields[option.name] = input;
    return field;
  }

  buildInput(option) {
    if (option.kind === "choice") {
      const select = document.createElement("select");
      select.append(...option.choices.map(([value, words]) => new Option(words, value)));
      select.value = option.value;
      return select;
    }
    if (option.kind === "text") {
      const area = document.createElement("textarea");
      area.rows = option.name === "prompt" ? 3 : 2;
      area.maxLength = option.longest;
      area.value = option.value;
      return area;
    }
    const input = document.createElement("input");
    input.type = option.kind === "switch" ? "checkbox" : "number";
    if (option.kind === "switch") { input.checked = option.value; return input; }
    Object.assign(input, { min: option.low, max: option.high, value: option.value });
    input.step = option.kind === "whole" ? 1 : 0.05;
    return input;
  }

  readOptions() {
    return Object.fromEntries(this.state.options.map((option) => {
      const input = this.fields[option.name];
      if (option.kind === "switch") return [option.name, input.checked];
      const isNumber = option.kind === "whole" || option.kind === "number";
      return [option.name, isNumber ? Number(input.value) : input.value];
    }));
  }

  async send() {
    const button = byId("send");
    if (button.disabled) return;
    byId("error").textContent = "";
    if (!this.box) { byId("error").textContent = this.texts.nothingDrawn; return; }
    button.disabled = true;
    button.textContent = this.texts.sending;
    try {
      const message = {
        mask: await this.mask.encode(), options: this.readOptions(), more: byId("more").value,
      };
      const answer = await ask("draw/send", this.token, message, this.texts.unreachable);
      const { url } = await answer.json();
      showNotice(this.texts.sent, { url, words: this.texts.backToDiscord });
    } catch (error) {
      byId("error").textContent = error.message;
      button.disabled = false;
      button.textContent = this.texts.send;
    }
  }
}

async function open() {
  const token = takeToken();
  try {
    const state = await (await ask("draw", token)).json();
    const picture = await (await ask("draw/picture", token)).blob();
    new Desk(token, state, await createImageBitmap(picture));
  } catch (error) {
    showNotice(error.message);
  }
}

open();
