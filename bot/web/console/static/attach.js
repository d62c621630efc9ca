/** Files in the composer: chosen, pasted, dropped or spoken; listed, taken back, and their way shown. */
import { tell } from "./page.js";

const composer = () => document.getElementById("composer");
const input = () => composer()?.elements.files;
/** A private note takes no files; those chosen before wait for the reply. */
const noting = () => composer()?.elements.mode.value === "note";

/** What is to go along. The input itself forgets the last choice when its owner chooses again. */
let held = [];
let leaving = [];

/** @param {File[]} files all that is to go along */
function hold(files) {
  held = files;
  composer().classList.toggle("noting", noting());
  if (!input()) return;
  const all = new DataTransfer();
  for (const file of noting() ? [] : files) all.items.add(file);
  input().files = all.files;
  list();
}

/** @param {Iterable<File>} more files beside those that are chosen already */
function add(more) {
  if (noting()) tell(composer().dataset.noFiles);
  else hold([...held, ...more]);
}

const inWords = (bytes) => (bytes < 1048576 ? `${Math.ceil(bytes / 1024)} KB` : `${(bytes / 1048576).toFixed(1)} MB`);

function list() {
  const shown = composer().querySelector(".chosen");
  shown.replaceChildren(...held.map((file, place) => {
    const row = document.createElement("li");
    const name = document.createElement("span");
    name.textContent = file.name;
    name.dir = "auto";
    const size = document.createElement("small");
    size.textContent = inWords(file.size);
    const off = document.createElement("button");
    off.type = "button";
    off.className = "button bare";
    off.textContent = "×";
    off.setAttribute("aria-label", `${shown.dataset.remove}: ${file.name}`);
    off.addEventListener("click", () => {
      hold(held.filter((_, other) => other !== place));
      composer().elements.text.focus();
    });
    row.append(name, size, off);
    return row;
  }));
}

document.addEventListener("change", (event) => {
  if (event.target === input()) add([...input().files]);
  else if (event.target.name === "mode" && event.target.form === composer()) {
    if (noting()) taking?.recorder?.stop();
    hold(held);
  }
});
document.addEventListener("paste", (event) => {
  if (event.target === composer()?.elements.text && event.clipboardData.files.length) {
    event.preventDefault();
    add(event.clipboardData.files);
  }
});
for (const kind of ["dragover", "drop"]) {
  document.addEventListener(kind, (event) => {
    if (!composer() || !event.dataTransfer?.types.includes("Files") || !event.target.closest?.(".thread")) return;
    event.preventDefault();
    if (kind === "drop") add(event.dataTransfer.files);
  });
}
document.addEventListener("htmx:xhr:progress", (event) => {
  if (event.target !== composer() || !leaving.length) return;
  const bar = composer().querySelector("progress");
  bar.hidden = false;
  bar.value = event.detail.lengthComputable ? (100 * event.detail.loaded) / event.detail.total : 0;
});
document.addEventListener("htmx:beforeRequest", (event) => {
  if (event.target === composer()) leaving = noting() ? [] : held;
});
document.addEventListener("htmx:afterRequest", (event) => {
  if (event.target !== composer()) return;
  composer().querySelector("progress").hidden = true;
  if (event.detail.successful) hold(held.filter((file) => !leaving.includes(file)));
});

/** A voice note: one press begins, the next ends and adds it. What is recorded, or waits to be allowed. */
let taking = null;
function offer() {
  const button = composer()?.querySelector(".record");
  if (button) button.hidden = !(window.MediaRecorder && navigator.mediaDevices?.getUserMedia);
}
function mark(button, on) {
  button.classList.toggle("on", on);
  button.setAttribute("aria-pressed", String(on));
  button.setAttribute("aria-label", on ? button.dataset.stop : button.dataset.start);
}
const release = (sound) => sound.getTracks().forEach((track) => track.stop());
async function start(button) {
  const mine = { recorder: null };
  taking = mine;
  let sound;
  try {
    sound = await navigator.mediaDevices.getUserMedia({ audio: true });
  } catch {
    if (taking === mine) taking = null;
    tell(button.dataset.denied);
    return;
  }
  // The answer may come when another conversation is open, or a note is being written.
  if (taking === mine && !noting()) record(button, sound, mine);
  else {
    release(sound);
    if (taking === mine) taking = null;
  }
}
function record(button, sound, mine) {
  const recorder = new MediaRecorder(sound);
  mine.recorder = recorder;
  const parts = [];
  const since = Date.now();
  const clock = button.querySelector(".clock");
  const tick = setInterval(() => {
    const seconds = Math.floor((Date.now() - since) / 1000);
    clock.textContent = ` ${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
    if (seconds >= 600) recorder.stop();
  }, 250);
  recorder.addEventListener("dataavailable", (event) => parts.push(event.data));
  recorder.addEventListener("stop", () => {
    clearInterval(tick);
    clock.textContent = "";
    release(sound);
    mark(button, false);
    if (taking !== mine) return;
    taking = null;
    const type = recorder.mimeType.split(";")[0];
    hold([...held, new File(parts, `voice-note.${type.split("/")[1]}`, { type })]);
  });
  recorder.start();
  mark(button, true);
}
document.addEventListener("click", (event) => {
  const button = event.target.closest(".record");
  if (!button) return;
  if (taking) taking.recorder?.stop();
  else start(button);
});
let shownIn = composer();
function settle() {
  if (composer() !== shownIn) { // another conversation: nothing of this one goes there
    const left = taking;
    taking = null;
    left?.recorder?.stop();
    held = [];
  }
  shownIn = composer();
  if (shownIn) hold(held);
  offer();
}
document.addEventListener("htmx:afterSettle", settle);
settle();
