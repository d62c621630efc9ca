/**
 * The button and the panel, in a shadow tree that the site's own style does not reach.
 * @param {{lang: string, dir: string, t: (key: string) => string, tray: object, reach: object,
 *          say: (text: string, files: object[]) => void, typing: () => void, opened: (is: boolean) => void,
 *          begins: () => boolean}} on `begins`: whether the visitor is writing a first message, to the bot
 * @param {ReturnType<typeof readOptions>} options
 */
function makePanel(on, options) {
  const { t, tray, reach } = on;
  const host = h("div", { id: "samvad-widget" });
  const root = host.attachShadow({ mode: "open" });
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(CSS);
  root.adoptedStyleSheets = [sheet];

  const badge = h("span", { class: "badge", "aria-hidden": "true", hidden: true });
  const launcher = h("button", { type: "button", class: "launcher", "aria-label": t("open"), "aria-expanded": "false", "aria-haspopup": "dialog", hidden: !options.launcher, onclick: () => show(true) }, icon(ICONS[options.icon === "help" ? "help" : "chat"]), badge);
  const greeting = makeGreeting(options.greeting.text || t("hello"), { t, open: () => show(true), gone: () => greet(false) });
  const told = h("p", { class: "hidden", role: "status" });
  const state = h("p", { class: "state", role: "status", hidden: true });
  const typing = h("li", { class: "typing", hidden: true }, h("span", { class: "hidden" }), h("i"), h("i"), h("i"));
  const hello = h("li", { class: "hello", dir: "auto" }, options.welcome || t("hello"));
  const list = h("ol", { class: "list" }, hello, typing);
  const log = h("div", { class: "log", role: "log", "aria-live": "polite", "aria-label": t("log"), tabindex: "0" }, list);
  const input = h("textarea", { rows: "1", maxlength: "4096", "aria-label": t("placeholder"), placeholder: t("placeholder"), enterkeyhint: "send", dir: on.dir });
  const attach = h("button", { type: "button", class: "attach", "aria-label": t("attach"), onclick: () => tray.input.click() }, icon(ICONS.clip));
  const send = h("button", { type: "submit", class: "send", "aria-label": t("send") }, icon(ICONS.send));
  const form = h("form", { class: "write" }, tray.element, attach, tray.input, input, send);
  const offers = makeOffers({ t, lang: on.lang, may: on.begins, told: (text) => { told.textContent = text; }, gone: () => input.focus() });
  const drop = h("div", { class: "drop", "aria-hidden": "true" }, t("drop"));
  const close = h("button", { type: "button", class: "close", "aria-label": t("close"), onclick: () => show(false) }, icon(ICONS.close));
  const panel = h("section", { class: "panel", role: "dialog", "aria-label": options.title, hidden: true },
    h("header", {}, h("span", { class: "dot", "aria-hidden": "true" }), h("h2", { dir: "auto" }, options.title), close), state, log, reach.element, offers.element, form, drop);
  const side = { left: " left", right: " right" }[options.position] || "";
  const shell = h("div", { class: `shell${side}`, lang: on.lang, dir: on.dir }, told, greeting, panel, launcher);
  follow(shell, options.theme);
  paint(shell, options.color);
  root.append(shell);

  const narrow = window.matchMedia("(max-width: 640px)");
  function show(open, focus = true) {
    if (open === !panel.hidden) return;
    greet(false);
    panel.hidden = !open;
    launcher.hidden = open || !options.launcher;
    launcher.setAttribute("aria-expanded", String(open));
    if (open) {
      panel.setAttribute("aria-modal", String(narrow.matches));
      if (focus) input.focus();
      bottom();
    } else if (focus) launcher.focus();
    on.opened(open);
  }
  function greet(is) {
    greeting.hidden = !is;
    told.textContent = is ? greeting.innerText : "";
  }
  function bottom() {
    log.scrollTop = log.scrollHeight;
  }
  function grow() {
    input.dir = input.value ? "auto" : on.dir; // an empty one would be left to right
    input.style.blockSize = "auto";
    input.style.blockSize = `${Math.min(input.scrollHeight, 132)}px`;
  }
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const text = input.value.trim();
    if (tray.busy() || (!text && !tray.ready())) return;
    input.value = "";
    grow();
    offers.hide();
    on.say(text, tray.take());
    input.focus();
  });
  input.addEventListener("input", () => {
    grow();
    if (input.value) on.typing();
    offers.typed(input.value);
  });
  input.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      form.requestSubmit();
    }
  });
  input.addEventListener("paste", (event) => {
    const files = [...event.clipboardData.files];
    if (!files.length) return;
    event.preventDefault();
    tray.pick(files);
  });
  takeDrops(panel, tray);
  keepFocus(panel, root, () => show(false));
  document.body.append(host);
  let hush = 0;
  return {
    list,
    show,
    bottom,
    greet: () => greet(true),
    /** Bring what was just said into view: its end, or its beginning when it is taller than the pane. */
    reveal(element) {
      bottom();
      const above = element.getBoundingClientRect().top - log.getBoundingClientRect().top;
      if (above < 0) log.scrollTop += above - 12;
    },
    /** Where the focus goes when what held it is gone. */
    rest: () => log.focus({ preventScroll: true }),
    focus: () => input.focus(),
    isOpen: () => !panel.hidden,
    nearBottom: () => log.scrollHeight - log.scrollTop - log.clientHeight < 120,
    /** A message cannot leave while its files are on their way. */
    busy(is) {
      send.setAttribute("aria-disabled", String(is));
    },
    unread(count) {
      badge.textContent = count > 99 ? "99+" : String(count);
      badge.hidden = !count;
      launcher.setAttribute("aria-label", count ? `${t("open")} (${t("new").replace("{count}", count)})` : t("open"));
    },
    /** Dots while an answer is on its way, or a person writes; not for ever. @param {string} text empty: none */
    typing(text, seconds) {
      clearTimeout(hush);
      typing.hidden = !text;
      typing.firstChild.textContent = text;
      if (!text) return;
      hush = setTimeout(() => { typing.hidden = true; }, seconds * 1000);
      bottom();
    },
    /** A person talks from here on: nothing is offered any more. */
    quiet: () => offers.hide(),
    /** Another visitor's page from here on. */
    clear() {
      this.typing("");
      input.value = "";
      grow();
      offers.hide();
    },
    /** @param {string} text what to tell about the line; empty: all is well */
    state(text) {
      state.textContent = text;
      state.hidden = !text;
    },
    /** Be there, or not at all. */
    vanish(is) {
      host.hidden = is;
    },
  };
}

/** Files dragged onto the panel. */
function takeDrops(panel, tray) {
  const carries = (event) => [...(event.dataTransfer?.types || [])].includes("Files");
  panel.addEventListener("dragover", (event) => {
    if (!carries(event)) return;
    event.preventDefault();
    panel.classList.add("dropping");
  });
  panel.addEventListener("dragleave", (event) => {
    if (!panel.contains(event.relatedTarget)) panel.classList.remove("dropping");
  });
  panel.addEventListener("drop", (event) => {
    panel.classList.remove("dropping");
    if (!carries(event)) return;
    event.preventDefault();
    tray.pick(event.dataTransfer.files);
  });
}

/** Tab goes round inside the panel; Escape leaves it. The site's own short cuts are not meant here. */
function keepFocus(panel, root, leave) {
  panel.addEventListener("keydown", (event) => {
    event.stopPropagation();
    if (event.key === "Escape") leave();
    if (event.key !== "Tab") return;
    const stops = [...panel.querySelectorAll("button, textarea, input, a[href], audio, video, [tabindex='0']")].filter((stop) => stop.getClientRects().length);
    const edge = event.shiftKey ? stops[0] : stops[stops.length - 1];
    if (root.activeElement === edge) {
      event.preventDefault();
      (event.shiftKey ? stops[stops.length - 1] : stops[0]).focus();
    }
  });
}
