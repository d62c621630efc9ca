/**
 * The line to the server: connects, says hello, and comes back after a break, later each time.
 * @param {{hello: () => object, heard: (data: object) => void, up: (is: boolean) => void}} on
 */
function connect(on) {
  let socket = null;
  let wait = 500;
  let timer = 0;

  function open() {
    clearTimeout(timer);
    socket = new WebSocket(`${BASE.replace(/^http/, "ws")}/widget/ws`);
    socket.onopen = () => socket.send(JSON.stringify(on.hello()));
    socket.onmessage = (event) => {
      const data = JSON.parse(event.data);
      if (data.type === "welcome") {
        wait = 500;
        on.up(true);
      }
      on.heard(data);
    };
    socket.onclose = () => {
      socket = null;
      on.up(false);
      timer = setTimeout(open, wait * (0.7 + Math.random() * 0.6));
      wait = Math.min(wait * 2, 30000);
    };
  }
  function hurry() {
    if (socket === null) {
      wait = 500;
      open();
    }
  }
  window.addEventListener("online", hurry);
  document.addEventListener("visibilitychange", () => document.hidden || hurry());
  open();
  return {
    /** @param {object} data @returns {boolean} whether it was handed to the line */
    send(data) {
      if (socket === null || socket.readyState !== WebSocket.OPEN) return false;
      socket.send(JSON.stringify(data));
      return true;
    },
  };
}
