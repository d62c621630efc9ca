/** What the browser keeps for us, shared by all tabs. Where it forbids that, or is full, this page remembers. */
const kept = {
  memory: new Map(),
  /** @param {string} name @returns {any} what was kept under the name, or null */
  get(name) {
    if (kept.memory.has(name)) return kept.memory.get(name);
    try {
      return JSON.parse(localStorage.getItem(`samvad:${BASE}:${name}`));
    } catch {
      return null;
    }
  },
  /** @param {string} name @param {any} value null: forget it */
  set(name, value) {
    try {
      if (value === null) localStorage.removeItem(`samvad:${BASE}:${name}`);
      else localStorage.setItem(`samvad:${BASE}:${name}`, JSON.stringify(value));
      kept.memory.delete(name);
    } catch {
      kept.memory.set(name, value);
    }
  },
  /** Tell of every change that another tab makes. @param {string} name @param {(value: any) => void} tell */
  watch(name, tell) {
    window.addEventListener("storage", (event) => {
      if (event.key === `samvad:${BASE}:${name}`) tell(kept.get(name));
    });
  },
};

/** @returns {string} an id that nobody else makes */
function newId() {
  if (crypto.randomUUID) return crypto.randomUUID();
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
