/**
 * Who the site says is here. Its server signs that; only ours can check it. This page reads the user's id to keep
 * one user's things from the next one in the same browser.
 * @param {string|undefined} given the site's token
 */
function makePerson(given) {
  let token = given || null;

  function claims() {
    try {
      const bytes = atob(token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/"));
      return JSON.parse(new TextDecoder().decode(Uint8Array.from(bytes, (char) => char.charCodeAt(0))));
    } catch {
      return {};
    }
  }
  const id = () => String(claims().sub ?? "");
  /** Forget what another user left in this browser. */
  function settle() {
    const before = kept.get("who") || "";
    if (before && before !== id()) forget();
    kept.set("who", id());
  }
  function forget() {
    for (const name of ["token", "unsent", "read", "open"]) kept.set(name, null);
  }
  settle();
  return {
    token: () => token,
    lang: () => claims().lang,
    id,
    forget,
    set(next) {
      token = next || null;
      settle();
    },
  };
}
