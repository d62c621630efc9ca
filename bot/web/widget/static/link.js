/**
 * The line to the server: connects, says hello, and comes back after a break, later each time. It is up once the
 * server has welcomed us.
 * @param {{hello: () => object, heard: (data: object) => void, up: (is: boolean) => void}} on
 */
function connect(on) {
  let socket = null;
  let wait = 500;
  let timer = 0;
  let up = false;
  let ended = false;

  function open() {
    clearTimeout(timer);
    const mine = new WebSocket(`${BASE.replace(/^http/, "ws")}/widget/ws`);
    socket = mine;
    mine.onopen = () => mine.send(JSON.stringify(on.hello()));
    mine.onmessage = (event) => {
      if (mine !== socket) return;
      const data = JSON.parse(event.data);
      if (data.type === "welcome") {
        wait = 500;
        up = true;
      }
      on.heard(data);
      if (data.type === "welcome") on.up(true);
    };
    mine.onclose = (event) => {
      if (mine !== socket) return;
      socket = null;
      up = false;
      on.up(false);
      if (event.code === 4403) {
        ended = true;
        console.warn(`Samvad: ${location.origin} is not in SAMVAD_WIDGET_ORIGINS; the chat stays closed here.`);
        return;
      }
      timer = setTimeout(open, wait * (0.7 + Math.random() * 0.6));
      wait = Math.min(wait * 2, 30000);
    };
  }
  function stop() {
    ended = true;
    clearTimeout(timer);
    const old = socket;
    socket = null;
    up = false;
    if (old) old.close();
  }
  function hurry() {
    if (socket !== null || ended) return;
    wait = 500;
    open();
  }
  window.addEventListener("online", hurry);
  document.addEventListener("visibilitychange", () => document.hidden || hurry());
  open();
  return {
    stop,
    isUp: () => up,
    /** Begin anew, as somebody else. */
    again() {
      stop();
      ended = false;
      hurry();
    },
    /** @param {object} data @returns {boolean} whether it was handed to the line */
    send(data) {
      if (!up || socket.readyState !== WebSocket.OPEN) return false;
      socket.send(JSON.stringify(data));
      return true;
    },
  };
}
