/**
 * A first word beside the launcher, where the site asks for it: after a time, on scrolling, on leaving. At most once
 * a day, never over an open chat or a conversation, and nothing is stored anywhere until the visitor writes.
 * @param {{after?: string, scroll?: string, exit: boolean, on?: string}} asked
 * @param {{may: () => boolean, show: () => void}} on
 */
function watchForGreeting(asked, on) {
  const pages = (asked.on || "*").split(",").map((one) => one.trim().replace(/[.+?^${}()|[\]\\]/g, "\\$&").replaceAll("*", ".*"));
  const here = () => pages.some((one) => new RegExp(`^${one}$`).test(location.pathname));
  const today = () => new Date().toLocaleDateString("sv");
  let done = false;

  function greet() {
    if (done || kept.get("greeted") === today() || !here() || !on.may()) return;
    done = true;
    kept.set("greeted", today());
    on.show();
  }
  if (asked.after !== undefined) setTimeout(greet, Math.max(0, Number(asked.after) || 0) * 1000);
  if (asked.scroll !== undefined) {
    window.addEventListener("scroll", () => {
      const room = document.documentElement.scrollHeight - window.innerHeight;
      if (room > 0 && (window.scrollY / room) * 100 >= Number(asked.scroll)) greet();
    }, { passive: true });
  }
  if (asked.exit) {
    document.documentElement.addEventListener("mouseleave", (event) => {
      if (event.clientY <= 0) greet();
    });
  }
}

/** The bubble: its words open the chat, a cross sends it away; it takes no focus. */
function makeGreeting(text, { t, open, gone }) {
  const say = h("button", { type: "button", class: "say", dir: "auto", onclick: open }, text);
  const away = h("button", { type: "button", class: "away", "aria-label": t("dismiss"), onclick: () => gone() }, icon(ICONS.close));
  const element = h("div", { class: "greeting", role: "group", "aria-label": t("bot"), hidden: true }, say, away);
  element.addEventListener("keydown", (event) => {
    if (event.key === "Escape") gone();
  });
  return element;
}
