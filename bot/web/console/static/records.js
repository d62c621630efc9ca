/** Lists and forms of records: keys, choosing many lines, forms that open in their place. */
const typing = (target) => target.closest("input, textarea, select, [contenteditable], [role=log]");
const main = () => document.querySelector("main.records");

function go(address) {
  if (address) location.assign(address);
}

function move(step) {
  const links = [...document.querySelectorAll("tr[data-line] a.to, .deal a.to")];
  const now = links.indexOf(document.activeElement);
  const next = links[now < 0 ? 0 : Math.min(Math.max(now + step, 0), links.length - 1)];
  if (next) next.focus();
}

const keys = {
  f: () => document.getElementById("find")?.focus(),
  n: () => go(main().dataset.new),
  e: () => go(main().dataset.edit),
  j: () => move(1),
  k: () => move(-1),
  x: () => document.activeElement.closest("tr[data-line]")?.querySelector("input[name=id]")?.click(),
};

document.addEventListener("keydown", (event) => {
  if (!main()) return;
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    event.target.closest("form[data-form], form[data-in-place]")?.requestSubmit();
    return;
  }
  if (event.key === "Escape") event.target.closest("form[data-in-place]")?.querySelector("[data-cancel]").click();
  if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return;
  const act = keys[event.key];
  if (!act) return;
  event.preventDefault();
  act();
});

/** Show what may be done with the chosen lines, and how many they are. */
function count() {
  const bar = document.querySelector("#bulk .bulk");
  if (!bar) return;
  const boxes = [...document.querySelectorAll("#bulk input[name=id]")];
  const chosen = boxes.filter((box) => box.checked).length;
  const words = bar.querySelector("[data-chosen]");
  words.textContent = words.dataset.chosen.replace("{count}", chosen);
  bar.hidden = chosen === 0;
  const all = document.querySelector("[data-all]");
  all.checked = chosen > 0 && chosen === boxes.length;
  all.indeterminate = chosen > 0 && chosen < boxes.length;
}

document.addEventListener("change", (event) => {
  if (event.target.matches("[data-all]")) {
    for (const box of document.querySelectorAll("#bulk input[name=id]")) box.checked = event.target.checked;
  }
  if (event.target.closest("#bulk")) count();
});
document.addEventListener("click", (event) => {
  const again = event.target.closest("[data-reload]");
  if (!again) return;
  event.preventDefault();
  location.reload();
});
document.addEventListener("htmx:afterSettle", (event) => {
  count();
  const control = event.target.querySelector?.(".in-place :is(input:not([type=hidden]), select, textarea)");
  control?.focus();
});
/** What is empty stays out of the address. */
document.addEventListener("formdata", (event) => {
  if (event.target.method !== "get" || !event.target.closest("main.records")) return;
  for (const [name, value] of [...event.formData]) {
    if (value === "" && !(name === "where" && event.formData.get("view"))) event.formData.delete(name);
  }
});
