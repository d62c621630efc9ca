/** The composer: Ctrl+Enter sends, a draft stays with its conversation until it was sent. */
import { chosen } from "./list.js";
import { toBottom } from "./merge.js";

const key = (id) => `samvad:draft:${id}`;

function prepare() {
  const form = document.getElementById("composer");
  if (!form || form.dataset.ready) return;
  form.dataset.ready = "true";
  const text = form.elements.text;
  const id = chosen();
  try {
    text.value = text.value || localStorage.getItem(key(id)) || "";
  } catch { /* forbidden */ }
  let told = 0;
  text.addEventListener("input", () => {
    const says = form.dataset.typing && text.value && form.elements.mode.value === "reply";
    if (says && Date.now() - told > 3000) {
      told = Date.now();
      fetch(form.dataset.typing, { method: "POST", headers: { "X-CSRF-Token": form.elements.csrf.value } }).catch(() => {});
    }
    try {
      if (text.value) localStorage.setItem(key(id), text.value);
      else localStorage.removeItem(key(id));
    } catch { /* full or forbidden */ }
  });
  text.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && !event.isComposing) {
      event.preventDefault();
      if ((text.value.trim() || form.elements.files?.files.length) && !form.querySelector("[type=submit]").disabled) form.requestSubmit();
    }
  });
  form.addEventListener("change", () => {
    text.placeholder = form.elements.mode.value === "note" ? text.dataset.note : text.dataset.reply;
  });
  form.addEventListener("htmx:afterRequest", (event) => {
    if (event.target !== form || !event.detail.successful) return;
    form.reset();
    text.value = "";
    text.placeholder = text.dataset.reply;
    try {
      localStorage.removeItem(key(id));
    } catch { /* forbidden */ }
    text.focus();
    setTimeout(toBottom, 60);
  });
  toBottom();
}

document.addEventListener("htmx:afterSettle", prepare);
prepare();
