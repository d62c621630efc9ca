/** The editor of an article: marks by button and key, pictures, and a text that survives the end of a session. */
import { tell } from "./page.js";

const form = document.getElementById("article-form");

/** Put in text as if it were typed, so that it can be undone and the preview follows. */
function type(text, words) {
  text.focus();
  if (!document.execCommand("insertText", false, words)) {
    text.setRangeText(words, text.selectionStart, text.selectionEnd, "end");
    text.dispatchEvent(new InputEvent("input", { bubbles: true }));
  }
}

/** Set what is chosen between two signs; done again it takes them off. */
function around(text, before, after = before) {
  const [start, end] = [text.selectionStart, text.selectionEnd];
  const chosen = text.value.slice(start, end);
  const on = text.value.slice(start - before.length, start) === before && text.value.slice(end, end + after.length) === after;
  if (on) text.setSelectionRange(start - before.length, end + after.length);
  type(text, on ? chosen : before + chosen + after);
  const from = on ? start - before.length : start + before.length;
  text.setSelectionRange(from, from + chosen.length);
}

/** Begin each chosen line with a sign. */
function lines(text, sign) {
  const start = text.value.lastIndexOf("\n", text.selectionStart - 1) + 1;
  const found = text.value.indexOf("\n", text.selectionEnd);
  const end = found < 0 ? text.value.length : found;
  const rows = text.value.slice(start, end).split("\n");
  const begun = rows.every((row, place) => row.startsWith(sign(place)));
  text.setSelectionRange(start, end);
  type(text, rows.map((row, place) => (begun ? row.slice(sign(place).length) : sign(place) + row)).join("\n"));
}

/** On lines of its own, an empty one above and below. */
function block(text, words) {
  const before = text.value.slice(0, text.selectionStart);
  const gap = !before || before.endsWith("\n\n") ? "" : before.endsWith("\n") ? "\n" : "\n\n";
  type(text, `${gap}${words}\n\n`);
}

function link(text) {
  const chosen = text.value.slice(text.selectionStart, text.selectionEnd);
  const address = /^https?:\/\/\S+$/.test(chosen);
  const start = text.selectionStart;
  type(text, address ? `[](${chosen})` : `[${chosen}](https://)`);
  if (address) text.setSelectionRange(start + 1, start + 1);
  else text.setSelectionRange(start + chosen.length + 3, start + chosen.length + 11);
}

async function send(text, file) {
  const body = new FormData();
  body.append("picture", file);
  let answer;
  try {
    answer = await fetch(form.dataset.pictures, { method: "POST", body, headers: { "X-CSRF-Token": form.elements.csrf.value, "HX-Request": "true" } });
  } catch { /* told below */ }
  if (!answer?.ok) {
    const said = answer ? new DOMParser().parseFromString(await answer.text(), "text/html").body.textContent.trim() : "";
    tell(said || form.dataset.failed);
    return;
  }
  const { address, name } = await answer.json();
  block(text, `![${name.replace(/[[\]\\]/g, " ")}](${address})`);
}

function marks(text) {
  const bar = form.querySelector("[data-marks]");
  const chooser = bar.querySelector("[data-picture]");
  const deeds = {
    heading: () => lines(text, () => "## "),
    bold: () => around(text, "**"),
    italic: () => around(text, "*"),
    list: () => lines(text, () => "- "),
    numbers: () => lines(text, (place) => `${place + 1}. `),
    link: () => link(text),
    table: () => {
      const [one, two] = text.dataset.table.split("|");
      block(text, `| ${one} | ${two} |\n| --- | --- |\n|  |  |`);
    },
    picture: () => chooser.click(),
  };
  bar.hidden = false;
  bar.addEventListener("click", (event) => deeds[event.target.closest("[data-mark]")?.dataset.mark]?.());
  chooser.addEventListener("change", async () => {
    for (const file of chooser.files) await send(text, file);
    chooser.value = "";
  });
  text.addEventListener("keydown", (event) => {
    const name = { b: "bold", i: "italic", k: "link" }[event.key.toLowerCase()];
    if (!name || !(event.ctrlKey || event.metaKey) || event.altKey || event.shiftKey) return;
    event.preventDefault();
    deeds[name]();
  });
  text.addEventListener("paste", (event) => {
    const files = [...event.clipboardData.files].filter((file) => file.type.startsWith("image/"));
    if (!files.length) return;
    event.preventDefault();
    files.reduce((before, file) => before.then(() => send(text, file)), Promise.resolve());
  });
  for (const kind of ["dragover", "dragleave", "drop"]) {
    text.addEventListener(kind, (event) => {
      if (!event.dataTransfer.types.includes("Files")) return;
      event.preventDefault();
      text.classList.toggle("dropping", kind === "dragover");
      if (kind === "drop") [...event.dataTransfer.files].reduce((before, file) => before.then(() => send(text, file)), Promise.resolve());
    });
  }
}

/** What was typed and not saved waits in this browser, for this person, until they take it or drop it. */
function keep() {
  const [title, text] = [form.elements.title, form.elements.body];
  const begun = JSON.stringify([title.value, text.value]);
  const place = form.dataset.draft;
  const notice = document.querySelector("[data-kept]");
  const read = () => { try { return localStorage.getItem(place); } catch { return null; } };
  const forget = () => { try { localStorage.removeItem(place); } catch { /* forbidden */ } };
  if (document.querySelector("[data-done]")) {
    forget();
    try { localStorage.removeItem(sessionStorage.getItem("samvad:article:new") || ""); } catch { /* forbidden */ }
  }
  const kept = read();
  if (kept && kept !== begun) notice.hidden = false;
  notice.addEventListener("click", (event) => {
    if (event.target.closest("[data-take]")) {
      [title.value, text.value] = JSON.parse(read() || begun);
      text.dispatchEvent(new InputEvent("input", { bubbles: true }));
      text.focus();
    } else if (event.target.closest("[data-drop]")) forget();
    else return;
    notice.hidden = true;
  });
  form.addEventListener("input", () => {
    const now = JSON.stringify([title.value, text.value]);
    try {
      if (now === begun) localStorage.removeItem(place);
      else localStorage.setItem(place, now);
    } catch { /* full or forbidden */ }
  });
  form.addEventListener("submit", () => {
    // A new article has another place once it is saved.
    try { sessionStorage.setItem("samvad:article:new", place); } catch { /* forbidden */ }
  });
}

if (form) {
  const text = form.elements.body;
  const saves = form.querySelector("[data-save]");
  if (saves) marks(text);
  keep();
  document.addEventListener("keydown", (event) => {
    if (!saves || event.key.toLowerCase() !== "s" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    form.requestSubmit(saves);
  });
}
