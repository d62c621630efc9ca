/** Small things of the page: the customer pane, menus, notices that go, times that grow. */

/** @param {string} text to tell in passing */
export function tell(text) {
  const words = document.createElement("p");
  words.className = "notice";
  words.textContent = text;
  document.getElementById("toast").replaceChildren(words);
}
document.addEventListener("click", (event) => {
  const toggle = event.target.closest("[data-toggle-side]");
  if (toggle) {
    const open = document.getElementById("work").classList.toggle("with-side");
    const opener = document.querySelector(".side-toggle");
    opener.setAttribute("aria-expanded", String(open));
    (open ? document.querySelector(".side-close") : opener).focus();
  }
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  try {
    await navigator.clipboard.writeText(button.dataset.copy);
  } catch {
    // Without https a browser has no clipboard for us: the value is marked, to be copied by hand.
    getSelection().selectAllChildren(button.previousElementSibling);
    return;
  }
  tell(button.dataset.copied);
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
  document.getElementById("work")?.classList.remove("with-side");
});

const toast = document.getElementById("toast");
let going = 0;
new MutationObserver(() => {
  clearTimeout(going);
  const shown = document.getElementById("toast");
  if (shown.textContent.trim()) going = setTimeout(() => shown.replaceChildren(), 8000);
}).observe(toast.parentElement, { childList: true, subtree: true });

const units = [["day", 86400], ["hour", 3600], ["minute", 60]];
const words = Object.fromEntries(units.map(([unit]) => [unit, new Intl.NumberFormat(document.documentElement.lang.split("-")[0], { style: "unit", unit, unitDisplay: "narrow" })]));
setInterval(() => {
  for (const time of document.querySelectorAll("time.ago[datetime]")) {
    const seconds = (Date.now() - new Date(time.dateTime)) / 1000;
    const [unit, size] = units.find(([, each]) => seconds >= each) || [];
    if (unit) time.textContent = words[unit].format(Math.floor(seconds / size));
  }
}, 30000);
