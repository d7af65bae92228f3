// A member's own pictures: a grid of small ones, each to look at beside what it was made from.

import { ask, dressButton, sayTexts, showNotice, takeToken } from "./page.js";

const byId = (id) => document.getElementById(id);
const SESSION = "easel-gallery";

class Gallery {
  constructor(token, state) {
    Object.assign(this, { token, texts: state.texts, session: state.session });
    sessionStorage.setItem(`${SESSION}:${token}`, state.session);
    sayTexts(this.texts);
    if (!state.jobs.length) { showNotice(this.texts.galleryEmpty); return; }
    byId("desk").hidden = false;
    this.watcher = new IntersectionObserver((entries) => this.seen(entries), { rootMargin: "300px" });
    for (const job of state.jobs) byId("jobs").append(this.buildJob(job));
    dressButton(byId("look-close"), "close", this.texts.close);
    byId("look-close").addEventListener("click", () => byId("look").close());
    byId("share").addEventListener("input", () => this.showShare());
    byId("look").addEventListener("close", () => this.forgetPictures());
  }

  async load(job, number, small) {
    const message = { session: this.session, job: job.id, number, small };
    const answer = await ask("gallery/picture", this.token, message, this.texts.unreachable);
    return URL.createObjectURL(await answer.blob());
  }

  describe(job, number) {
    const count = job.pictures.length > 1 ? ` ${number}/${job.pictures.length}` : "";
    return `${job.title}${count}${job.prompt ? `: ${job.prompt}` : ""}`;
  }

  buildJob(job) {
    const item = document.createElement("li"), button = document.createElement("button");
    const image = document.createElement("img"), words = document.createElement("span");
    const first = job.pictures[0];
    button.type = "button";
    button.className = "job";
    image.alt = "";
    image.width = first.width;
    image.height = first.height;
    words.textContent = this.describe(job, 1);
    if (job.isHidden) {
      button.classList.add("veiled");
      button.setAttribute("aria-label", `${this.texts.hiddenPicture}: ${this.describe(job, 1)}`);
    }
    const when = document.createElement("time");
    when.dateTime = job.when;
    when.textContent = new Date(job.when).toLocaleString(this.texts.language,
      { dateStyle: "medium", timeStyle: "short" });
    button.append(image, words, when);
    button.addEventListener("click", () => this.press(button, job));
    item.append(button);
    button.job = job;
    if (!job.isHidden) this.watcher.observe(button);
    return item;
  }

  seen(entries) {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      this.watcher.unobserve(entry.target);
      this.showSmall(entry.target);
    }
  }

  async showSmall(button) {
    try {
      button.querySelector("img").src = await this.load(button.job, 1, true);
    } catch (error) {
      button.querySelector("span").textContent = error.message;
    }
  }

  press(button, job) {
    if (button.classList.contains("veiled")) {
      button.classList.remove("veiled");
      button.removeAttribute("aria-label");
      this.showSmall(button);
      return;
    }
    this.look(job, 1);
  }

  async look(job, number) {
    this.forgetPictures();
    byId("look-title").textContent = job.title;
    byId("look-prompt").textContent = job.prompt;
    byId("look-numbers").replaceChildren(...this.numberButtons(job, number));
    byId("look-numbers").hidden = job.pictures.length < 2;
    if (!byId("look").open) byId("look").showModal();
    const after = byId("after"), before = byId("before");
    const { width, height } = job.pictures[number - 1];
    byId("look-picture").style.aspectRatio = `${width} / ${height}`;
    byId("look-picture").style.maxWidth = `min(100%, ${Math.max(width, 512)}px, calc(62vh * ${width / height}))`;
    for (const part of ["before", "line", "look-compare"]) byId(part).hidden = !job.hasSource;
    try {
      after.src = await this.load(job, number, false);
      after.alt = `${this.texts.after}: ${this.describe(job, number)}`;
      if (!job.hasSource) return;
      before.src = await this.load(job, 0, false);
      before.alt = this.texts.before;
      this.showShare();
    } catch (error) {
      byId("look-prompt").textContent = error.message;
    }
  }

  numberButtons(job, chosen) {
    return job.pictures.map((_, at) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = String(at + 1);
      button.setAttribute("aria-pressed", String(at + 1 === chosen));
      button.addEventListener("click", () => this.look(job, at + 1));
      return button;
    });
  }

  /** Show the picture from before up to the slider, and the one from after beyond it. */
  showShare() {
    const share = Number(byId("share").value);
    byId("before").style.clipPath = `inset(0 ${100 - share}% 0 0)`;
    byId("line").style.left = `${share}%`;
  }

  forgetPictures() {
    for (const image of [byId("after"), byId("before")]) {
      if (image.src) URL.revokeObjectURL(image.src);
      image.removeAttribute("src");
      image.alt = "";
    }
  }
}

async function open() {
  const token = takeToken();
  try {
    const session = sessionStorage.getItem(`${SESSION}:${token}`) ?? "";
    new Gallery(token, await (await ask("gallery", token, { session })).json());
  } catch (error) {
    showNotice(error.message);
  }
}

open();
