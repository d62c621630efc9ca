/** A field that points to a record: type a part of its name, choose with the arrows or a finger. */
const WAIT = 200;
const waiting = new WeakMap();

const parts = (box) => ({
  held: box.querySelector("input[type=hidden]"),
  input: box.querySelector("[role=combobox]"),
  list: box.querySelector("[role=listbox]"),
});

function close(box) {
  const { input, list } = parts(box);
  list.hidden = true;
  input.setAttribute("aria-expanded", "false");
  input.removeAttribute("aria-activedescendant");
}

function choose(box, option) {
  if (!option?.dataset.id) return;
  const { held, input } = parts(box);
  held.value = option.dataset.id;
  input.value = option.dataset.title;
  box.dataset.chosen = option.dataset.title;
  close(box);
  held.dispatchEvent(new Event("change", { bubbles: true }));
}

async function find(box) {
  const { input, list } = parts(box);
  const text = input.value.trim();
  const answer = await fetch(`${box.dataset.lookup}?q=${encodeURIComponent(text)}`, { headers: { "HX-Request": "true" } });
  if (!answer.ok || input.value.trim() !== text || document.activeElement !== input) return;
  list.innerHTML = await answer.text();
  [...list.children].forEach((option, place) => { option.id = `${list.id}-${place}`; });
  list.hidden = false;
  input.setAttribute("aria-expanded", "true");
}

function mark(box, step) {
  const { input, list } = parts(box);
  const options = [...list.querySelectorAll("[data-id]")];
  if (!options.length) return;
  const now = options.findIndex((option) => option.getAttribute("aria-selected") === "true");
  options[now]?.setAttribute("aria-selected", "false");
  const next = options[(now + step + options.length) % options.length];
  next.setAttribute("aria-selected", "true");
  next.scrollIntoView({ block: "nearest" });
  input.setAttribute("aria-activedescendant", next.id);
}

document.addEventListener("input", (event) => {
  const box = event.target.closest("[data-lookup]");
  if (!box) return;
  parts(box).held.value = "";
  clearTimeout(waiting.get(box));
  waiting.set(box, setTimeout(find, WAIT, box));
});
document.addEventListener("focusin", (event) => {
  const box = event.target.closest("[data-lookup]");
  if (!box || !event.target.matches("[role=combobox]")) return;
  box.dataset.chosen ??= event.target.value;
  if (!event.target.value) find(box);
});
document.addEventListener("focusout", (event) => {
  const box = event.target.closest("[data-lookup]");
  if (!box || box.contains(event.relatedTarget)) return;
  const { held, input } = parts(box);
  // What was typed and not chosen means nothing: an emptied field is empty, else the last choice stands.
  if (!held.value && input.value) input.value = "";
  setTimeout(close, 150, box);
});
document.addEventListener("mousedown", (event) => {
  const option = event.target.closest("[data-lookup] [role=option]");
  if (!option) return;
  event.preventDefault();
  choose(option.closest("[data-lookup]"), option);
});
document.addEventListener("keydown", (event) => {
  const box = event.target.closest("[data-lookup]");
  if (!box || !event.target.matches("[role=combobox]")) return;
  const { list } = parts(box);
  if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    event.preventDefault();
    if (list.hidden) find(box);
    else mark(box, event.key === "ArrowDown" ? 1 : -1);
  } else if (event.key === "Enter" && !event.ctrlKey && !event.metaKey && !list.hidden) {
    event.preventDefault();
    choose(box, list.querySelector("[aria-selected=true]") || list.querySelector("[data-id]"));
  } else if (event.key === "Escape" && !list.hidden) {
    event.stopPropagation();
    close(box);
  }
});
