/**
 * Articles that may answer what the visitor is writing, above the composer: looked for when they pause, at most
 * three, and never again once they were sent away.
 * @param {{t: (key: string) => string, lang: string, may: () => boolean, told: (text: string) => void, gone: () => void}} on
 */
function makeOffers(on) {
  const { t } = on;
  const list = h("ul", {});
  const away = h("button", { type: "button", class: "plain", "aria-label": t("dismiss"), onclick: () => { unwanted = true; hide(); on.gone(); } }, icon(ICONS.close));
  const element = h("section", { class: "offers", "aria-label": t("articles"), hidden: true }, h("div", { class: "head" }, h("p", {}, t("articles")), away), list);
  let unwanted = false;
  let timer = 0;
  let looked = "";
  let newest = 0;

  function hide() {
    clearTimeout(timer);
    newest += 1; // what is still on its way comes too late
    looked = "";
    element.hidden = true;
  }
  function show(articles) {
    list.replaceChildren(...articles.map(({ title, url, lang }) => h("li", {}, h("a", { href: BASE + url, target: "_blank", rel: "noopener" }, h("span", { lang, dir: "auto" }, title), h("span", { class: "hidden" }, ` (${t("new_page")})`)))));
    if (element.hidden && articles.length) on.told(t("articles"));
    element.hidden = !articles.length;
  }
  async function look(text) {
    if (text === looked) return;
    looked = text;
    const mine = ++newest;
    try {
      const answer = await fetch(`${BASE}/help/${encodeURIComponent(on.lang)}/suggest?q=${encodeURIComponent(text)}`, { credentials: "omit" });
      const { articles } = answer.ok ? await answer.json() : { articles: [] };
      if (mine === newest && on.may()) show(articles);
    } catch {
      // Nothing is offered without a connection.
    }
  }
  return {
    element,
    hide,
    /** @param {string} text what is in the composer now */
    typed(text) {
      const said = text.trim().slice(0, 200);
      if (unwanted || !on.may() || said.split(/\s+/).length < 2) {
        hide();
        return;
      }
      clearTimeout(timer);
      timer = setTimeout(() => look(said), 600);
    },
  };
}
