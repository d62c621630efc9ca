/**
 * How many of our messages the visitor has not seen: on the launcher and in the title, kept over a reload and
 * the same in every tab. What is before their eyes is told to the server.
 * @param {{t: (key: string) => string, show: (count: number) => void, looks: () => boolean, tell: (id: string) => boolean}} on
 */
function makeUnread(on) {
  const waiting = new Set();
  let newest = "";
  let told = "";

  function show() {
    const title = document.title.replace(/^\(\d+\) /, "");
    const wanted = waiting.size ? `(${waiting.size}) ${title}` : title;
    if (document.title !== wanted) document.title = wanted;
    on.show(waiting.size);
    window.dispatchEvent(new CustomEvent("samvad:unread", { detail: waiting.size }));
  }
  /** Look whether the visitor looks. */
  function check() {
    if (newest && on.looks()) {
      if (newest > (kept.get("read") || "")) kept.set("read", newest);
      if (newest > told && on.tell(newest)) told = newest;
    }
    const read = kept.get("read") || "";
    const before = waiting.size;
    for (const id of waiting) if (id <= read) waiting.delete(id);
    if (waiting.size !== before) show();
  }
  kept.watch("read", check);
  document.addEventListener("visibilitychange", check);
  return {
    check,
    /** @param {{id: string, read?: boolean}} message one of ours */
    came(message) {
      if (message.id > newest) newest = message.id;
      if (message.read) {
        if (message.id > told) told = message.id;
      } else if (message.id > (kept.get("read") || "")) {
        waiting.add(message.id);
        show();
      }
      check();
    },
    clear() {
      waiting.clear();
      newest = told = "";
      show();
    },
  };
}
