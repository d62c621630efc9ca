/** The list: which row is open, which has news, and moving through it by keyboard. */
const SEEN = "samvad:seen";

function seen() {
  try {
    return JSON.parse(localStorage.getItem(SEEN)) || {};
  } catch {
    return {};
  }
}

/** @returns {string} the id of the conversation on screen, or "" */
export const chosen = () => document.querySelector(".thread")?.dataset.conversation || "";

/** Mark the open row, and rows with words of the customer that this browser has not shown yet. */
export function paint() {
  const open = chosen();
  const known = seen();
  for (const row of document.querySelectorAll(".row")) {
    if (row.dataset.id === open) {
      row.setAttribute("aria-current", "true");
      if (!document.hidden) known[open] = row.dataset.last;
    } else row.removeAttribute("aria-current");
    const fresh = row.dataset.last > (known[row.dataset.id] || "");
    row.classList.toggle("is-new", fresh);
    row.querySelector(".unread").hidden = !fresh;
  }
  const newest = Object.entries(known).sort((a, b) => (a[1] < b[1] ? 1 : -1)).slice(0, 500);
  try {
    localStorage.setItem(SEEN, JSON.stringify(Object.fromEntries(newest)));
  } catch { /* full or forbidden */ }
  const count = document.getElementById("waiting-count");
  const rows = document.querySelector(".rows");
  if (count && rows) {
    count.textContent = rows.dataset.waiting;
    count.hidden = rows.dataset.waiting === "0";
  }
}

function move(step) {
  const rows = [...document.querySelectorAll(".row")];
  const now = rows.indexOf(document.activeElement);
  const start = now >= 0 ? now : rows.findIndex((row) => row.hasAttribute("aria-current")) - (step > 0 ? 0 : -1);
  const next = rows[Math.min(Math.max((now >= 0 ? now : start) + step, 0), rows.length - 1)];
  if (next) next.focus();
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, textarea, select, [role=log]")) return;
  const arrows = event.target.closest(".list");
  if (event.key === "j" || (arrows && event.key === "ArrowDown")) move(1);
  else if (event.key === "k" || (arrows && event.key === "ArrowUp")) move(-1);
  else return;
  event.preventDefault();
});
document.addEventListener("visibilitychange", paint);
document.addEventListener("htmx:afterSettle", paint);
paint();
