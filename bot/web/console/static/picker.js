/** The picker of templates above the composer: found by a word, closed, gone once one was sent. */
document.addEventListener("input", (event) => {
  if (!event.target.matches("[data-filter]")) return;
  const wanted = event.target.value.trim().toLowerCase();
  for (const row of event.target.closest(".picker").querySelectorAll("li")) {
    row.hidden = !row.textContent.toLowerCase().includes(wanted);
  }
});
function close() {
  document.getElementById("picker")?.replaceChildren();
  document.querySelector("#composer textarea")?.focus();
}
document.addEventListener("click", (event) => {
  if (event.target.closest("[data-close-picker]")) close();
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && event.target.closest?.("#picker")) close();
});
document.addEventListener("htmx:afterSwap", (event) => {
  if (event.target.id === "picker") event.target.querySelector("input:not([type=hidden])")?.focus();
});
document.addEventListener("htmx:afterRequest", (event) => {
  if (event.target.matches?.("form.picker") && event.detail.successful) close();
});
