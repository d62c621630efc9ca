/** The widget: the script tag's own attributes, the panel, the line, and what goes between them. */
function start() {
  const asked = TAG.dataset.lang || document.documentElement.lang || navigator.language || "";
  const lang = [asked, asked.split("-")[0], Object.keys(TEXTS)[0]].find((name) => TEXTS[name]);
  const t = (key) => TEXTS[lang][key];
  let owner = "bot";
  let after = null;
  let first = true;

  const panel = makePanel({
    lang,
    dir: TEXTS[lang].dir,
    color: TAG.dataset.color,
    title: TAG.dataset.title || BUSINESS,
    t,
    say: (text) => say(text),
    opened: (is) => kept.set("open", is),
  });
  const messages = messageList(panel.list, {
    t,
    choose(button) {
      say(button.title, button.id);
      panel.rest();
    },
    retry: (id) => retry(id),
  });
  const failed = new Map();

  function transmit(item) {
    const sent = line.send({ type: "message", id: item.id, text: item.text, button: item.button });
    messages.mark(item.id, "sending");
    return sent;
  }
  function say(text, button) {
    const item = { id: newId(), text, button, shown: text };
    unsent.add(item);
    messages.write(item);
    panel.bottom();
    transmit(item);
  }
  function retry(id) {
    const item = failed.get(id);
    if (!item) return;
    failed.delete(id);
    unsent.add(item);
    transmit(item);
  }

  function show(message) {
    const near = panel.nearBottom();
    const fresh = messages.add(message);
    const theirs = message.author !== "contact";
    if (theirs && (after === null || message.id > after)) after = message.id;
    if (theirs && fresh) panel.typing(false);
    if (fresh && !first && theirs && !panel.isOpen()) panel.unread();
    if (fresh && near && theirs && !first) panel.reveal(fresh);
    else if (fresh && near) panel.bottom();
  }

  const heard = {
    welcome(data) {
      kept.set("token", data.token);
      owner = data.owner;
      for (const message of data.messages) show(message);
      for (const item of unsent.all()) {
        messages.write(item);
        transmit(item);
      }
      panel.bottom();
      first = false;
    },
    accepted(data) {
      unsent.drop(data.id);
      messages.mark(data.id, "sent");
      if (owner === "bot") panel.typing(true);
    },
    message: (data) => show(data.message),
    owner(data) {
      owner = data.owner;
      if (owner !== "bot") panel.typing(false);
    },
    error(data) {
      panel.state(data.text);
      setTimeout(() => panel.state(""), 6000);
      const item = unsent.all().find((one) => one.id === data.id);
      if (!item) return;
      if (data.retry_after) {
        setTimeout(() => unsent.all().some((one) => one.id === item.id) && transmit(item), data.retry_after * 1000);
        return;
      }
      unsent.drop(item.id);
      failed.set(item.id, item);
      messages.mark(item.id, "failed");
    },
  };

  let down = 0;
  const line = connect({
    hello: () => ({ type: "hello", token: kept.get("token"), lang, after }),
    heard: (data) => heard[data.type] && heard[data.type](data),
    up(is) {
      clearTimeout(down);
      if (is) panel.state("");
      else down = setTimeout(() => panel.state(t("offline")), 1500);
    },
  });

  const wide = window.matchMedia("(min-width: 900px)").matches;
  if (TAG.dataset.open === "true" && wide) panel.show(true, false);
  else if (kept.get("open") && wide) panel.show(true, false);
  window.Samvad = {
    open: () => panel.show(true),
    close: () => panel.show(false),
    send(text) {
      panel.show(true);
      say(String(text).slice(0, 4096));
    },
  };
  window.dispatchEvent(new Event("samvad:ready"));
}

if (document.body) start();
else document.addEventListener("DOMContentLoaded", start);
