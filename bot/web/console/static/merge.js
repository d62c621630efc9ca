/** How a thread takes in a fresh copy of itself: what is the same stays in place, so that focus, scroll and a
 * screen reader's position survive; what changed is replaced; what is new is added at the end. */

/** @returns {HTMLElement|null} the scrolling pane of the thread */
export const pane = () => document.querySelector(".scroll");

export function toBottom() {
  const scroll = pane();
  if (scroll) scroll.scrollTop = scroll.scrollHeight;
}

/** @returns {boolean} whether the newest messages are on screen */
export function nearBottom() {
  const scroll = pane();
  return Boolean(scroll) && scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < 160;
}

function merge(list, fragment) {
  const near = nearBottom();
  const added = [];
  for (const item of [...fragment.querySelectorAll("li[id]")]) {
    const old = document.getElementById(item.id);
    if (old && old.dataset.v === item.dataset.v) continue;
    if (old) old.replaceWith(item);
    else if (item.classList.contains("next") || item.id === "nothing-yet") continue;
    else if (item.dataset.day && [...list.querySelectorAll(".day")].some((day) => day.dataset.day === item.dataset.day)) continue;
    else list.append(item);
    added.push(item);
  }
  if (added.some((item) => item.classList.contains("message"))) document.getElementById("nothing-yet")?.remove();
  if (near) toBottom();
  return added;
}

window.htmx.defineExtension("merge", {
  isInlineSwap: (style) => style === "merge",
  handleSwap: (style, target, fragment) => (style === "merge" ? merge(target, fragment) : false),
});
