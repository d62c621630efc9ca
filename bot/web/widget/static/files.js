/**
 * Files picked, pasted or dropped: checked, uploaded at once with their progress shown, and handed over when the
 * message is sent.
 * @param {{t: (key: string) => string, token: () => string|null, changed: () => void, removed: () => void}} on
 */
function makeTray(on) {
  const { t } = on;
  const entries = new Set();
  const element = h("ul", { class: "tray", hidden: true });
  const types = [...new Set(["image/*", "audio/*", "video/*", ...FILES.flatMap(([names]) => names.filter((name) => !/^(image|audio|video)\//.test(name)))])];
  const input = h("input", { type: "file", multiple: true, accept: types.join(","), hidden: true, tabindex: "-1", "aria-hidden": "true" });
  input.addEventListener("change", () => {
    pick(input.files);
    input.value = "";
  });

  /** What is wrong with a file before it is sent, as a sentence; empty when nothing is. */
  function wrong(file) {
    if (!file.size) return t("file_empty");
    const family = file.type.split("/")[0];
    const rule = FILES.find(([names]) => names.some((name) => (name.startsWith(".") ? file.name.toLowerCase().endsWith(name) : name === file.type || (family && family !== "application" && family !== "text" && name.startsWith(`${family}/`)))));
    if (!rule && file.type) return t("file_kind");
    const limit = rule ? rule[1] : Math.max(...FILES.map(([, bytes]) => bytes));
    if (file.size > limit) return tooLarge(limit);
    return "";
  }
  const tooLarge = (limit) => t("file_large").replace("{limit}", String(Math.round(limit / 1048576)));

  function pick(files) {
    for (const file of files) {
      const entry = { file, view: null, request: null, row: null };
      entries.add(entry);
      const fault = entries.size > FILES_LIMIT ? t("file_many").replace("{count}", String(FILES_LIMIT)) : wrong(file);
      if (fault) fail(entry, fault, false);
      else upload(entry);
    }
    refresh();
  }
  function show(entry, ...inner) {
    const remove = h("button", { type: "button", class: "plain", "aria-label": t("remove").replace("{name}", entry.file.name), onclick: () => drop(entry) }, icon(ICONS.close));
    const row = h("li", { class: "chip" }, icon(ICONS.file), h("span", { class: "what" }, h("bdi", { class: "name" }, entry.file.name), ...inner), remove);
    if (entry.row) entry.row.replaceWith(row);
    else element.append(row);
    entry.row = row;
  }
  function fail(entry, text, again) {
    entry.request = null;
    show(entry, h("span", { class: "fault", role: "alert" }, text));
    entry.row.classList.add("bad");
    if (again) entry.row.lastChild.before(h("button", { type: "button", class: "plain", "aria-label": t("retry"), onclick: () => upload(entry) }, icon(ICONS.again)));
    refresh();
  }
  function upload(entry) {
    const bar = h("progress", { max: "1", value: "0", "aria-label": `${t("uploading")}: ${entry.file.name}` });
    show(entry, bar);
    const request = new XMLHttpRequest();
    entry.request = request;
    request.open("POST", `${BASE}/widget/files?name=${encodeURIComponent(entry.file.name)}`);
    request.setRequestHeader("Authorization", `Bearer ${on.token()}`);
    request.setRequestHeader("Content-Type", "application/octet-stream");
    request.responseType = "json";
    request.upload.onprogress = (event) => { bar.value = event.total ? event.loaded / event.total : 0; };
    request.onerror = () => fail(entry, t("file_failed"), true);
    request.onload = () => {
      const answer = request.response || {};
      if (request.status === 201) {
        entry.request = null;
        entry.view = answer;
        show(entry);
        refresh();
      } else if (answer.code === "too_large") fail(entry, tooLarge(answer.limit), false);
      else if (answer.field) fail(entry, t(answer.field === "empty" ? "file_empty" : "file_kind"), false);
      else fail(entry, t("file_failed"), true);
    };
    request.send(entry.file);
    refresh();
  }
  function drop(entry) {
    if (entry.request) entry.request.abort();
    entries.delete(entry);
    entry.row.remove();
    refresh();
    on.removed();
  }
  function refresh() {
    element.hidden = !entries.size;
    on.changed();
  }
  return {
    element,
    input,
    pick,
    busy: () => [...entries].some((entry) => entry.request),
    ready: () => [...entries].some((entry) => entry.view),
    /** Another visitor's page from here on. */
    clear() {
      for (const entry of entries) {
        if (entry.request) entry.request.abort();
        entry.row.remove();
      }
      entries.clear();
      refresh();
    },
    /** The uploaded files, for the message that is leaving; what failed goes with them. */
    take() {
      const views = [...entries].filter((entry) => entry.view).map((entry) => entry.view);
      for (const entry of entries) entry.row.remove();
      entries.clear();
      refresh();
      return views;
    },
  };
}
