// Appended to the simulator's own script, whose `state`, `ui` and `request` it uses.
{
  const LABEL = "⋯ Apps";
  let openMenu = null;

  const closeMenu = () => {
    openMenu?.remove();
    openMenu = null;
  };

  const wait = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

  // The bot is asked one thing at a time: what comes meanwhile is asked again.
  const ask = async (path, body) => {
    for (let attempt = 0; ; attempt += 1) {
      try {
        return await request(path, body ? "POST" : "GET", body, state.contextId);
      } catch (error) {
        if (error.status !== 409 || attempt === 20) throw error;
        await wait(250);
      }
    }
  };

  const choose = async (messageId, name) => {
    closeMenu();
    try {
      await ask("/api/action?apps", { message: messageId, name });
    } catch (error) {
      addDiagnostic({
        code: "apps-menu", severity: "error", complete: false,
        message: `${name} could not be asked for.`, remediation: "Try again.",
      });
    }
  };

  const show = async (messageId, x, y) => {
    closeMenu();
    const { names } = await ask("/api/commands?apps");
    const menu = document.createElement("div");
    menu.setAttribute("role", "menu");
    menu.setAttribute("aria-label", "Apps");
    menu.dataset.appsMenu = messageId;
    Object.assign(menu.style, {
      position: "fixed", zIndex: "90", minWidth: "180px", padding: "6px", borderRadius: "8px",
      background: "#2b2d31", color: "#f2f3f5", boxShadow: "0 8px 16px rgb(0 0 0 / 40%)",
    });
    for (const name of names) {
      const item = document.createElement("button");
      item.type = "button";
      item.setAttribute("role", "menuitem");
      item.textContent = name;
      Object.assign(item.style, {
        display: "block", width: "100%", padding: "8px", border: "0", borderRadius: "4px",
        background: "transparent", color: "inherit", font: "inherit", textAlign: "start",
        cursor: "pointer",
      });
      item.addEventListener("click", () => void choose(messageId, name));
      menu.append(item);
    }
    document.body.append(menu);
    openMenu = menu;
    const box = menu.getBoundingClientRect();
    menu.style.left = `${Math.max(4, Math.min(x, innerWidth - box.width - 4))}px`;
    menu.style.top = `${Math.max(4, Math.min(y, innerHeight - box.height - 4))}px`;
    menu.querySelector("button")?.focus();
  };

  const messageOf = (target) => target instanceof Element && target.closest("[data-message-id]");

  const addButton = (message) => {
    if (message.querySelector(":scope > [data-apps]")) return;
    const button = document.createElement("button");
    button.type = "button";
    button.dataset.apps = "";
    button.textContent = LABEL;
    button.setAttribute("aria-haspopup", "menu");
    Object.assign(button.style, {
      margin: "2px 0 0 56px", padding: "2px 8px", border: "0", borderRadius: "4px", opacity: "0.7",
      background: "transparent", color: "inherit", font: "inherit", fontSize: "12px",
      cursor: "pointer",
    });
    button.addEventListener("click", (event) => {
      event.stopPropagation();
      const box = button.getBoundingClientRect();
      void show(message.dataset.messageId, box.left, box.bottom);
    });
    message.append(button);
  };

  // What is new at the end is what somebody waits for: also once its pictures have come, unless
  // the person moves the page meanwhile.
  const FOLLOW_MILLISECONDS = 5000;
  let newestId = "";
  let followedUntil = 0;
  const scrollToEnd = () => {
    if (performance.now() < followedUntil) ui.timeline.scrollTop = ui.timeline.scrollHeight;
  };
  const followNewest = () => {
    const messages = [...ui.messageList.querySelectorAll("[data-message-id]")];
    messages.forEach(addButton);
    const lastId = messages.at(-1)?.dataset.messageId || "";
    if (lastId === newestId) return;
    newestId = lastId;
    followedUntil = performance.now() + FOLLOW_MILLISECONDS;
    requestAnimationFrame(scrollToEnd);
  };
  new MutationObserver(followNewest).observe(ui.messageList, { childList: true, subtree: true });
  new ResizeObserver(() => requestAnimationFrame(scrollToEnd)).observe(ui.messageList);
  for (const kind of ["wheel", "touchmove", "keydown", "pointerdown"]) {
    addEventListener(kind, () => { followedUntil = 0; }, { passive: true, capture: true });
  }
  followNewest();

  ui.messageList.addEventListener("contextmenu", (event) => {
    const message = messageOf(event.target);
    if (!message) return;
    event.preventDefault();
    void show(message.dataset.messageId, event.clientX, event.clientY);
  });
  document.addEventListener("click", (event) => {
    if (openMenu && !openMenu.contains(event.target)) closeMenu();
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") closeMenu();
  });
}
