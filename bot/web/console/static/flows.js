/** The editor of a flow: line numbers, the check's word beside its line, keys, and the trial beside it. */
const editor = () => document.querySelector("[data-yaml]");
const measure = document.createElement("canvas").getContext("2d");

/** Number the lines, and lay what the check says over the line it speaks of. */
function paint() {
  const box = editor();
  if (!box) return;
  const text = box.querySelector("textarea");
  const [gutter, bands] = [box.querySelector(".gutter"), box.querySelector(".bands")];
  const lines = text.value.split("\n");
  const faults = new Map();
  for (const one of document.querySelectorAll("#checked li")) {
    const line = Math.min(Number(one.dataset.line), lines.length);
    if (line && !faults.has(line)) faults.set(line, one);
  }
  gutter.replaceChildren(...lines.map((_, index) => {
    const number = document.createElement("span");
    number.textContent = index + 1;
    number.className = faults.get(index + 1)?.className || "";
    return number;
  }));
  const style = getComputedStyle(text);
  measure.font = `${style.fontSize} ${style.fontFamily}`;
  bands.replaceChildren(...[...faults].map(([line, fault]) => {
    const band = document.createElement("div");
    const words = document.createElement("span");
    band.className = fault.className;
    band.dataset.top = (line - 1) * 22 + 10;
    words.textContent = fault.querySelector("[data-text]").textContent;
    words.dataset.left = gutter.offsetWidth + measure.measureText(lines[line - 1]).width + 40;
    band.append(words);
    return band;
  }));
  scroll();
}

function scroll() {
  const box = editor();
  const text = box.querySelector("textarea");
  box.querySelector(".gutter").scrollTop = text.scrollTop;
  for (const band of box.querySelectorAll(".bands div")) {
    band.style.top = `${band.dataset.top - text.scrollTop}px`;
    band.firstChild.style.left = `${band.firstChild.dataset.left - text.scrollLeft}px`;
  }
}

/** Put in text as if it were typed, so that it can be undone. */
function type(text, words) {
  if (!document.execCommand("insertText", false, words)) text.setRangeText(words, text.selectionStart, text.selectionEnd, "end");
}

function keys(event) {
  const text = event.target;
  if (event.key === "Tab" && !event.ctrlKey && !event.altKey && !event.metaKey) {
    if (text.dataset.leave) return;
    const begin = text.value.lastIndexOf("\n", text.selectionStart - 1) + 1;
    if (!event.shiftKey) type(text, "  ");
    else if (text.value.startsWith("  ", begin)) {
      const at = text.selectionStart;
      text.setSelectionRange(begin, begin + 2);
      document.execCommand("delete");
      text.setSelectionRange(Math.max(at - 2, begin), Math.max(at - 2, begin));
    }
    event.preventDefault();
  } else if (event.key === "Enter" && !event.ctrlKey && !event.metaKey) {
    const line = text.value.slice(text.value.lastIndexOf("\n", text.selectionStart - 1) + 1, text.selectionStart);
    type(text, `\n${line.match(/^ */)[0]}`);
    event.preventDefault();
  }
  // Who goes by keyboard gets out of the field: Escape, then Tab.
  text.dataset.leave = event.key === "Escape" ? "1" : "";
}

/** A picture wider than its frame is seen from where it begins. */
function centre() {
  for (const frame of document.querySelectorAll(".picture")) {
    const start = frame.querySelector(".start rect")?.getBoundingClientRect();
    const seen = frame.getBoundingClientRect();
    if (start) frame.scrollLeft += start.left + start.width / 2 - seen.left - seen.width / 2;
  }
}

let kept = "";
function ready() {
  const box = editor();
  if (!box || box.dataset.ready) return;
  box.dataset.ready = "1";
  const text = box.querySelector("textarea");
  kept = text.value;
  text.addEventListener("input", paint);
  text.addEventListener("scroll", scroll);
  text.addEventListener("keydown", keys);
  new ResizeObserver(paint).observe(text);
  document.querySelector("[data-trial]").hidden = false;
  document.getElementById("flow-form").addEventListener("submit", () => { kept = text.value; });
}

document.addEventListener("keydown", (event) => {
  if (!editor() || event.key.toLowerCase() !== "s" || !(event.ctrlKey || event.metaKey)) return;
  event.preventDefault();
  document.getElementById("flow-form").requestSubmit(document.querySelector("[data-save]"));
});
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-go]");
  const text = editor()?.querySelector("textarea");
  if (!button || !text) return;
  const lines = text.value.split("\n");
  const line = Math.min(Number(button.dataset.go), lines.length);
  const begin = lines.slice(0, line - 1).reduce((sum, one) => sum + one.length + 1, 0);
  text.focus();
  text.setSelectionRange(begin, begin + lines[line - 1].length);
  text.scrollTop = Math.max((line - 6) * 22, 0);
});
addEventListener("beforeunload", (event) => {
  const text = editor()?.querySelector("textarea");
  if (text && text.value !== kept) event.preventDefault();
});

/** The trial: what was sent leaves the field, the newest is seen, the step it waits at is marked. */
document.addEventListener("htmx:configRequest", (event) => {
  const pressed = event.detail.triggeringEvent?.submitter;
  if (pressed?.dataset.title) event.detail.parameters.title = pressed.dataset.title;
});
function mark() {
  const step = document.getElementById("trial-now")?.dataset.waits;
  for (const box of document.querySelectorAll("#picture [data-step]")) box.classList.toggle("is-waiting", box.dataset.step === step);
}
document.addEventListener("htmx:afterRequest", (event) => {
  if (event.detail.elt.id === "trial-form" && event.detail.successful) event.detail.elt.querySelector("#say").value = "";
});
document.addEventListener("htmx:afterSettle", () => {
  if (!editor()) return;
  paint();
  mark();
  const talk = document.getElementById("talk");
  talk.scrollTop = talk.scrollHeight;
});
ready();
centre();
if (editor()) paint();
