/**
 * The visitor's messages that we have no word of yet. They outlive a reload, and leave one after the other under
 * the id they were given: none is lost, none overtakes another, and the server counts none twice.
 * @param {(data: object) => boolean} send
 */
function makeOutbox(send) {
  let inFlight = null;
  let timer = 0;
  const all = () => kept.get("unsent") || [];
  const keep = (items) => kept.set("unsent", items.length ? items : null);

  function pump() {
    const [item] = all();
    if (inFlight !== null || timer || !item) return;
    const { id, type = "message", text, button, files, address } = item;
    if (send({ type, id, text, button, files, address })) inFlight = id;
  }
  function drop(id) {
    keep(all().filter((item) => item.id !== id));
    if (inFlight === id) inFlight = null;
  }
  return {
    all,
    add(item) {
      keep([...all(), item]);
      pump();
    },
    /** The line came back: what was on its way may not have arrived. */
    restart() {
      inFlight = null;
      clearTimeout(timer);
      timer = 0;
      pump();
    },
    /** The server has it, or will never take it. @returns {object|undefined} what it was */
    done(id) {
      const item = all().find((one) => one.id === id);
      drop(id);
      pump();
      return item;
    },
    /** The server asks us to wait. @param {number} seconds */
    later(seconds) {
      inFlight = null;
      clearTimeout(timer);
      timer = setTimeout(() => {
        timer = 0;
        pump();
      }, seconds * 1000);
    },
  };
}
