/** What the browser keeps for us; a browser that forbids keeping things only forgets sooner. */
const kept = {
  /** @param {string} name @returns {any} what was kept under the name, or null */
  get(name) {
    try {
      return JSON.parse(localStorage.getItem(`samvad:${BASE}:${name}`));
    } catch {
      return null;
    }
  },
  /** @param {string} name @param {any} value */
  set(name, value) {
    try {
      localStorage.setItem(`samvad:${BASE}:${name}`, JSON.stringify(value));
    } catch { /* full or forbidden */ }
  },
};

/** The visitor's messages that we have no word of yet. They outlive a reload and go out again under the same
 * id, so that none is lost and none counts twice. */
const unsent = {
  /** @returns {{id: string, text: string, button?: string, shown: string}[]} */
  all: () => kept.get("unsent") || [],
  add: (item) => kept.set("unsent", [...unsent.all(), item]),
  drop: (id) => kept.set("unsent", unsent.all().filter((item) => item.id !== id)),
};

/** @returns {string} an id that nobody else makes */
function newId() {
  if (crypto.randomUUID) return crypto.randomUUID();
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
