/** The widget: the script tag's own attributes, the panel, the line, and what goes between them. */
function start() {
  const options = readOptions();
  const person = makePerson(options.user);
  const lang = pickLanguage([options.lang, person.lang(), document.documentElement.lang, ...navigator.languages]);
  const t = (key) => TEXTS[lang][key];
  const failed = new Map();
  let owner = "bot";
  let after = null;
  let first = true;

  const tray = makeTray({
    t,
    token: () => kept.get("token"),
    changed: () => panel.busy(tray.busy()),
    removed: () => panel.focus(),
  });
  const reach = makeReach({
    t,
    leave: (address) => leave({ id: newId(), type: "contact", address, shown: address }),
  });
  const panel = makePanel({
    lang,
    dir: TEXTS[lang].dir,
    t,
    tray,
    reach,
    say: (text, files) => say(text, undefined, files),
    typing: () => types(),
    begins: () => owner === "bot" && !messages.spoken(),
    opened(is) {
      kept.set("open", is || null);
      unread.check();
    },
  }, options);
  const messages = messageList(panel.list, {
    t,
    lang,
    choose(button) {
      say(button.title, button.id);
      panel.rest();
    },
    retry(id) {
      const item = failed.get(id);
      failed.delete(id);
      if (item) leave(item);
    },
  });
  const unread = makeUnread({
    t,
    show: (count) => panel.unread(count),
    looks: () => panel.isOpen() && !document.hidden,
    tell: (id) => line.send({ type: "read", id }),
  });

  function leave(item) {
    messages.write(item);
    messages.mark(item.id, "sending");
    panel.bottom();
    outbox.add(item);
  }
  function say(text, button, files = []) {
    const tokens = files.length ? files.map((file) => file.token) : undefined;
    leave({ id: newId(), text, button, files: tokens, media: files, shown: text });
  }
  let typed = 0;
  function types() {
    if (Date.now() - typed < 3000) return;
    typed = Date.now();
    line.send({ type: "typing" });
  }

  function show(message) {
    const near = panel.nearBottom();
    const fresh = messages.add(message);
    const theirs = message.author !== "contact";
    if (theirs && (after === null || message.id > after)) after = message.id;
    if (theirs && fresh) panel.typing("");
    if (theirs) unread.came(message);
    if (fresh && near && theirs && !first) panel.reveal(fresh);
    else if (fresh && near) panel.bottom();
  }
  /** Nothing of the earlier visitor stays on the page. */
  function clear() {
    messages.clear();
    unread.clear();
    failed.clear();
    tray.clear();
    reach.clear();
    panel.clear();
    after = null;
    first = true;
  }
  function stand(data) {
    owner = data.owner;
    if (owner !== "bot") {
      panel.typing("");
      panel.quiet();
    }
    const near = panel.nearBottom();
    reach.show(data.away);
    if (near) panel.bottom();
  }

  const heard = {
    welcome(data) {
      if (data.user_refused) warnOf(data.user_refused);
      // A page that stood open too long is still its user's: what they wrote stays, and so do their other tabs.
      const late = data.user_refused === "expired";
      if (!data.same && !late) person.forget();
      if (data.user === null && !late) kept.set("who", null);
      if (!data.same || (visitor !== null && visitor !== data.visitor)) clear();
      visitor = data.visitor;
      kept.set("token", data.token);
      for (const message of data.messages) show(message);
      for (const item of outbox.all()) messages.write(item);
      stand(data);
      panel.bottom();
      first = false;
    },
    accepted(data) {
      outbox.done(data.id);
      messages.mark(data.id, "sent");
      if (owner === "bot") panel.typing(t("typing"), 25);
    },
    message: (data) => show(data.message),
    owner: stand,
    typing: () => panel.typing(t("agent_typing"), 6),
    error(data) {
      panel.state(data.text);
      setTimeout(() => panel.state(""), 6000);
      if (data.retry_after || data.code === "unavailable") {
        outbox.later(data.retry_after || 3);
        return;
      }
      const item = outbox.done(data.id);
      if (!item) return;
      failed.set(item.id, item);
      messages.mark(item.id, "failed");
      if (item.type === "contact") reach.refuse(data.text);
    },
  };

  let visitor = null;
  let down = 0;
  const line = connect({
    hello: () => ({ type: "hello", token: kept.get("token"), user: person.token(), lang, after }),
    heard: (data) => heard[data.type] && heard[data.type](data),
    up(is) {
      if (!is) {
        // Counted from the break, however often it is tried again meanwhile.
        down ||= setTimeout(() => {
          down = 0;
          panel.state(t("offline"));
        }, 1500);
        return;
      }
      clearTimeout(down);
      down = 0;
      panel.state("");
      outbox.restart();
      unread.check();
    },
  });
  const outbox = makeOutbox((data) => line.send(data));
  for (const item of outbox.all()) messages.write(item);
  kept.watch("unsent", (items) => {
    for (const item of items || []) messages.write(item);
  });
  // Another tab of this browser speaks for another user now: this one's page is out of date.
  kept.watch("who", (who) => {
    if ((who || "") === person.id()) return;
    line.stop();
    clear();
    panel.vanish(true);
  });

  const wide = window.matchMedia("(min-width: 900px)").matches;
  if ((options.open || kept.get("open")) && wide) panel.show(true, false);
  watchForGreeting(options.greeting, {
    may: () => !panel.isOpen() && !messages.count() && options.launcher,
    show: () => panel.greet(),
  });
  window.Samvad = {
    open: () => panel.show(true),
    close: () => panel.show(false),
    toggle: () => panel.show(!panel.isOpen()),
    send(text) {
      panel.show(true);
      say(String(text).slice(0, 4096));
    },
    /** @param {string|null} token of the site's server; null: signed out */
    setUser(token) {
      const before = person.id();
      person.set(token);
      if (before && before !== person.id()) clear();
      panel.vanish(false);
      line.again();
    },
  };
  window.dispatchEvent(new Event("samvad:ready"));
}

/** @returns {string} the first language asked for that there are words for */
function pickLanguage(asked) {
  const names = asked.filter(Boolean).flatMap((name) => [name, name.split("-")[0]]);
  return names.find((name) => TEXTS[name]) || Object.keys(TEXTS)[0];
}

/** What a site's developer should know of a token that was not taken. */
function warnOf(reason) {
  const why = {
    off: "SAMVAD_WIDGET_SECRET is not set on the server",
    expired: "it has expired; make one for each page",
    invalid: "it is not signed with SAMVAD_WIDGET_SECRET by HS256, or lacks sub or exp",
  }[reason];
  console.warn(`Samvad: the user's token was not taken: ${why}. The visitor is anonymous.`);
}

if (document.body) start();
else document.addEventListener("DOMContentLoaded", start);
