/** Search over everything: hits under the box as one types, chosen with the arrows, a click or a finger. */
const WAIT = 120;
let waiting = 0;
let asked = null;

const parts = (form) => ({ input: form.querySelector("[role=combobox]"), list: form.querySelector("[role=listbox]") });

function close(form) {
  const { input, list } = parts(form);
  clearTimeout(waiting);
  asked?.abort();
  list.hidden = true;
  input.setAttribute("aria-expanded", "false");
  input.removeAttribute("aria-activedescendant");
}

async function find(form) {
  const { input, list } = parts(form);
  const text = input.value.trim();
  if (!text) return close(form);
  asked?.abort();
  asked = new AbortController();
  try {
    const answer = await fetch(`${form.action}?q=${encodeURIComponent(text)}`, { headers: { "HX-Request": "true" }, signal: asked.signal });
    if (!answer.ok) return;
    const hits = await answer.text();
    if (input.value.trim() !== text || document.activeElement !== input) return;
    list.innerHTML = hits;
  } catch {
    return; // other words were typed meanwhile, or the line is down: Enter still leads to the page of hits
  }
  [...list.children].forEach((option, place) => { option.id = `${list.id}-${place}`; });
  input.removeAttribute("aria-activedescendant");
  list.hidden = !list.children.length;
  input.setAttribute("aria-expanded", String(!list.hidden));
}

function mark(form, step) {
  const { input, list } = parts(form);
  const options = [...list.querySelectorAll("[data-href]")];
  if (!options.length) return;
  const now = options.findIndex((option) => option.getAttribute("aria-selected") === "true");
  options[now]?.setAttribute("aria-selected", "false");
  const next = options[now < 0 ? (step > 0 ? 0 : options.length - 1) : (now + step + options.length) % options.length];
  next.setAttribute("aria-selected", "true");
  next.scrollIntoView({ block: "nearest" });
  input.setAttribute("aria-activedescendant", next.id);
}

document.addEventListener("input", (event) => {
  const form = event.target.closest("[data-seek]");
  if (!form) return;
  clearTimeout(waiting);
  waiting = setTimeout(find, WAIT, form);
});
document.addEventListener("focusout", (event) => {
  const form = event.target.closest("[data-seek]");
  if (form && !form.contains(event.relatedTarget)) close(form);
});
document.addEventListener("mousedown", (event) => {
  // The box keeps the focus, so that the list stays until the click.
  if (event.target.closest("[data-seek] [role=listbox]")) event.preventDefault();
});
document.addEventListener("click", (event) => {
  const option = event.target.closest("[data-seek] [data-href]");
  if (option) location.assign(option.dataset.href);
});
document.addEventListener("keydown", (event) => {
  const form = event.target.closest("[data-seek]");
  if (form) {
    const { list } = parts(form);
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (list.hidden) find(form);
      else mark(form, event.key === "ArrowDown" ? 1 : -1);
    } else if (event.key === "Enter" && !list.hidden) {
      const chosen = list.querySelector("[aria-selected=true]");
      if (!chosen) return;
      event.preventDefault();
      location.assign(chosen.dataset.href);
    } else if (event.key === "Escape") {
      if (list.hidden) event.target.blur();
      else event.preventDefault(); // the browser would empty the box
      close(form);
    }
    return;
  }
  const typing = event.target.closest("input, textarea, select, [contenteditable], [role=log]");
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || typing) return;
  event.preventDefault();
  const box = document.getElementById("seek");
  if (box?.checkVisibility()) {
    box.focus();
    box.select();
  } else document.querySelector(".to-seek")?.click();
});
