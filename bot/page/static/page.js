// What both pages share: the link's token, requests to the bot, the member's words.

const STORE = "easel-token";

/** Take the token out of the address, which then shows it no more, and keep it for a reload. */
export function takeToken() {
  const key = `${STORE}:${location.pathname}`;
  const token = location.hash.slice(1) || sessionStorage.getItem(key) || "";
  if (token) sessionStorage.setItem(key, token);
  if (location.hash) history.replaceState(null, "", location.pathname);
  return token;
}

/** Ask the bot; reject with words for the member. */
export async function ask(path, token, message, offline) {
  let response;
  try {
    response = await fetch(`api/${path}`, {
      method: "POST",
      headers: { "Authorization": `Bearer ${token}`, "Content-Type": "application/json" },
      body: JSON.stringify(message ?? {}),
      cache: "no-store",
      credentials: "omit",
      referrerPolicy: "no-referrer",
    });
  } catch {
    throw new Error(offline || "Easel cannot be reached. Is the bot running?");
  }
  if (response.ok) return response;
  let words = `${response.status}`;
  try { words = (await response.json()).error || words; } catch { /* a proxy's own page */ }
  throw new Error(words);
}

/** Put the member's words into everything that names one of them. */
export function sayTexts(texts) {
  document.documentElement.lang = texts.language;
  document.title = `${texts[document.body.dataset.title || "title"]} · Easel`;
  for (const node of document.querySelectorAll("[data-text]")) {
    node.textContent = texts[node.dataset.text];
  }
  for (const node of document.querySelectorAll("[data-label]")) {
    node.setAttribute("aria-label", texts[node.dataset.label]);
  }
}

/** Fill the holes of a sentence. */
export function fill(words, values) {
  return words.replace(/\{(\w+)\}/g, (hole, name) => values[name] ?? hole);
}

/** Show one sentence in the place of the page. */
export function showNotice(words, link) {
  document.getElementById("desk").hidden = true;
  document.getElementById("notice").hidden = false;
  document.getElementById("notice-text").textContent = words;
  const anchor = document.getElementById("notice-link");
  anchor.hidden = !link;
  if (link) { anchor.href = link.url; anchor.textContent = link.words; }
}

const ICONS = {
  brush: "M14 4l6 6-9 9H5v-6z M12 6l6 6",
  eraser: "M8 20h12 M5 15l9-9 6 6-8 8H9z",
  lasso: "M12 4c5 0 8 2.500 8 5.500S17 15 12 15s-8-2.500-8-5.500S7 4 12 4z M7 14c-1 2 0 4-2 6",
  rectangle: "M4 6h16v12H4z",
  pan: "M12 3v18 M3 12h18 M9 6l3-3 3 3 M9 18l3 3 3-3 M6 9l-3 3 3 3 M18 9l3 3-3 3",
  undo: "M9 5L4 10l5 5 M4 10h10a5 5 0 0 1 0 10h-3",
  redo: "M15 5l5 5-5 5 M20 10H10a5 5 0 0 0 0 10h3",
  invert: "M12 3a9 9 0 1 0 0 18z M12 3a9 9 0 0 1 0 18 M12 8h5 M12 12h8 M12 16h5",
  clear: "M5 7h14 M9 7V4h6v3 M7 7l1 13h8l1-13",
  zoomIn: "M10 4a6 6 0 1 0 0 12 6 6 0 0 0 0-12z M15 15l5 5 M7 10h6 M10 7v6",
  zoomOut: "M10 4a6 6 0 1 0 0 12 6 6 0 0 0 0-12z M15 15l5 5 M7 10h6",
  close: "M6 6l12 12 M18 6L6 18",
  zoomFit: "M4 9V4h5 M15 4h5v5 M20 15v5h-5 M9 20H4v-5",
};

/** Draw a button's sign and give it its name. */
export function dressButton(button, name, words) {
  const space = "http://www.w3.org/2000/svg";
  const sign = document.createElementNS(space, "svg");
  const path = document.createElementNS(space, "path");
  sign.setAttribute("viewBox", "0 0 24 24");
  sign.setAttribute("aria-hidden", "true");
  path.setAttribute("d", ICONS[name]);
  sign.append(path);
  button.replaceChildren(sign);
  button.setAttribute("aria-label", words);
  button.title = words;
}
