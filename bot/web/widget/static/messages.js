/**
 * The list of what was said. Messages of the server have ids that sort by time.
 * @param {HTMLElement} list
 * @param {{choose: (button: {id: string, title: string}) => void, retry: (id: string) => void, t: (key: string) => string, lang: string}} on
 */
function messageList(list, on) {
  const byId = new Map();
  const own = new Map();
  const clock = new Intl.DateTimeFormat([on.lang, "en"], { hour: "numeric", minute: "2-digit" });

  /** Put an element where its id belongs; what the server has not named yet stays last. */
  function place(element, id) {
    let before = null;
    for (const other of [...list.children].reverse()) {
      if (other.dataset.id && other.dataset.id < id) break;
      if (other.dataset.id) before = other;
    }
    list.insertBefore(element, before || list.querySelector("[data-own=sending]") || list.querySelector(".typing"));
  }

  function mark(element, state) {
    element.dataset.own = state;
    const tick = element.querySelector(".tick");
    tick.textContent = { sending: "◷", sent: "✓", seen: "✓✓", failed: "!" }[state];
    tick.setAttribute("aria-label", on.t(state));
    tick.title = on.t(state);
    element.querySelector(".retry").hidden = state !== "failed";
  }

  function file(item) {
    const url = BASE + item.url;
    if (item.inline && item.kind === "image") {
      const picture = h("img", { src: url, alt: item.name || on.t("image"), loading: "lazy" });
      return h("a", { href: url, target: "_blank", rel: "noopener", class: "file" }, picture);
    }
    if (item.inline && (item.kind === "audio" || item.kind === "voice")) return h("audio", { src: url, controls: true, preload: "none", "aria-label": item.name || on.t("file") });
    if (item.inline && item.kind === "video") return h("video", { src: url, controls: true, preload: "metadata", "aria-label": item.name || on.t("file") });
    return h("a", { href: url, target: "_blank", rel: "noopener", class: "file" }, icon(ICONS.file), h("bdi", {}, item.name || on.t("file")));
  }

  function who(message) {
    if (message.author === "contact") return on.t("you");
    return message.author === "agent" ? message.name || on.t("human") : on.t("bot");
  }

  function bubble(message, mine) {
    const time = new Date(message.at || Date.now());
    const body = h("div", { class: "bubble" }, h("span", { class: "hidden" }, `${who(message)}: `));
    if (message.text) body.append(h("span", { class: "text", dir: "auto" }, ...linkify(message.text)));
    for (const item of message.media || []) body.append(file(item));
    if (message.place) body.append(h("a", { href: message.place.url, target: "_blank", rel: "noopener noreferrer" }, message.place.name || on.t("place")));
    const foot = h("div", { class: "foot" });
    if (!mine && message.author === "agent") foot.append(h("bdi", {}, who(message)));
    foot.append(h("time", { datetime: time.toISOString() }, clock.format(time)));
    if (mine) foot.append(h("span", { class: "tick", role: "img" }));
    return [body, foot];
  }

  function choices(message) {
    if (!message.buttons) return null;
    const offered = message.buttons.map((button) => h("button", { type: "button", class: "choice", dir: "auto", onclick: () => on.choose(button) }, button.title));
    return h("div", { class: "choices", role: "group" }, ...offered);
  }

  return {
    /** Show a message of the server. @returns {HTMLElement|null} its element, if it is new to this page */
    add(message) {
      if (byId.has(message.id)) return null;
      const known = message.client && own.get(message.client);
      if (known) {
        known.dataset.id = message.id;
        byId.set(message.id, known);
        mark(known, "seen");
        return null;
      }
      const mine = message.author === "contact";
      const element = h("li", { class: mine ? "mine" : "theirs", "data-id": message.id }, ...bubble(message, mine));
      const offered = choices(message);
      if (offered) element.append(offered);
      if (mine) {
        element.append(h("button", { type: "button", class: "retry", hidden: true }));
        mark(element, "seen");
        if (message.client) own.set(message.client, element);
      } else {
        // Only the last question can still be answered by a button.
        for (const old of list.querySelectorAll(".choices")) old.remove();
      }
      byId.set(message.id, element);
      place(element, message.id);
      return element;
    },
    /** Show what the visitor just wrote, before the server knows of it. */
    write(item) {
      if (own.has(item.id)) return;
      for (const old of list.querySelectorAll(".choices")) old.remove();
      const again = h("button", { type: "button", class: "retry", onclick: () => on.retry(item.id) }, on.t("retry"));
      const element = h("li", { class: "mine" }, ...bubble({ author: "contact", text: item.shown, media: item.media }, true), again);
      own.set(item.id, element);
      list.insertBefore(element, list.querySelector(".typing"));
      mark(element, "sending");
    },
    /** Another visitor's page from here on. */
    clear() {
      for (const element of list.querySelectorAll("li:not(.hello):not(.typing)")) element.remove();
      byId.clear();
      own.clear();
    },
    count: () => byId.size,
    /** Whether the visitor has said anything. */
    spoken: () => list.querySelector(".mine") !== null,
    /** @param {string} id the page's own id @param {"sending"|"sent"|"failed"} state */
    mark(id, state) {
      const element = own.get(id);
      if (element && element.dataset.own !== "seen") mark(element, state);
    },
  };
}
