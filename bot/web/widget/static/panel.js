/**
 * The button and the panel, in a shadow tree that the site's own style does not reach.
 * @param {{lang: string, dir: string, color?: string, title: string, t: (key: string) => string,
 *          say: (text: string) => void, opened: (is: boolean) => void}} options
 */
function makePanel(options) {
  const { t } = options;
  const host = h("div", { id: "samvad-widget" });
  const root = host.attachShadow({ mode: "open" });
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(CSS);
  root.adoptedStyleSheets = [sheet];
  if (options.color && window.CSS.supports("color", options.color)) host.style.setProperty("--samvad-accent", options.color);

  const badge = h("span", { class: "badge", hidden: true });
  const launcher = h("button", { type: "button", class: "launcher", "aria-label": t("open"), "aria-expanded": "false", onclick: () => show(true) }, icon(ICONS.chat), badge);
  const close = h("button", { type: "button", class: "close", "aria-label": t("close"), onclick: () => show(false) }, icon(ICONS.close));
  const state = h("p", { class: "state", role: "status", hidden: true });
  const typing = h("li", { class: "typing", hidden: true }, h("span", { class: "hidden" }, t("typing")), h("i"), h("i"), h("i"));
  const hello = h("li", { class: "hello" }, t("hello"));
  const list = h("ol", { class: "list" }, hello, typing);
  const log = h("div", { class: "log", role: "log", "aria-live": "polite", "aria-label": t("log"), tabindex: "0" }, list);
  const input = h("textarea", { rows: "1", maxlength: "4096", "aria-label": t("placeholder"), placeholder: t("placeholder"), enterkeyhint: "send", dir: "auto" });
  const send = h("button", { type: "submit", class: "send", "aria-label": t("send") }, icon(ICONS.send));
  const form = h("form", { class: "write" }, input, send);
  const panel = h("section", { class: "panel", role: "dialog", "aria-label": options.title, hidden: true },
    h("header", {}, h("span", { class: "dot", "aria-hidden": "true" }), h("h2", {}, options.title), close), state, log, form);
  const shell = h("div", { class: "shell", lang: options.lang, dir: options.dir }, panel, launcher);
  root.append(shell);

  const narrow = window.matchMedia("(max-width: 640px)");
  function show(open, focus = true) {
    panel.hidden = !open;
    launcher.hidden = open;
    launcher.setAttribute("aria-expanded", String(open));
    if (open) panel.setAttribute("aria-modal", String(narrow.matches));
    if (open && focus) input.focus();
    if (!open && focus) launcher.focus();
    if (open) {
      badge.hidden = true;
      badge.textContent = "";
      bottom();
    }
    options.opened(open);
  }
  function bottom() {
    log.scrollTop = log.scrollHeight;
  }
  function grow() {
    input.style.blockSize = "auto";
    input.style.blockSize = `${Math.min(input.scrollHeight, 132)}px`;
  }
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const text = input.value.trim();
    if (!text) return;
    input.value = "";
    grow();
    options.say(text);
  });
  input.addEventListener("input", grow);
  input.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      form.requestSubmit();
    }
  });
  panel.addEventListener("keydown", (event) => {
    event.stopPropagation(); // the site's own short cuts are not meant here
    if (event.key === "Escape") show(false);
    if (event.key !== "Tab") return;
    const stops = [...panel.querySelectorAll("button, textarea, a[href], [tabindex='0']")].filter((stop) => stop.getClientRects().length);
    const edge = event.shiftKey ? stops[0] : stops[stops.length - 1];
    if (root.activeElement === edge) {
      event.preventDefault();
      (event.shiftKey ? stops[stops.length - 1] : stops[0]).focus();
    }
  });
  document.body.append(host);
  let hush = 0;
  return {
    list,
    show,
    bottom,
    /** Bring what was just said into view: its end, or its beginning when it is taller than the pane. */
    reveal(element) {
      bottom();
      const above = element.getBoundingClientRect().top - log.getBoundingClientRect().top;
      if (above < 0) log.scrollTop += above - 12;
    },
    /** Where the focus goes when what held it is gone. */
    rest: () => log.focus({ preventScroll: true }),
    isOpen: () => !panel.hidden,
    nearBottom: () => log.scrollHeight - log.scrollTop - log.clientHeight < 120,
    /** One more message came while the panel was closed. */
    unread() {
      badge.textContent = String(Number(badge.textContent || 0) + 1);
      badge.hidden = false;
      launcher.setAttribute("aria-label", `${t("open")} (${t("new").replace("{count}", badge.textContent)})`);
    },
    /** Dots while an answer is on its way; not for ever. */
    typing(is) {
      clearTimeout(hush);
      typing.hidden = !is;
      if (is) {
        hush = setTimeout(() => { typing.hidden = true; }, 25000);
        bottom();
      }
    },
    /** @param {string} text what to tell about the line; empty: all is well */
    state(text) {
      state.textContent = text;
      state.hidden = !text;
    },
  };
}
