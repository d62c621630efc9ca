/** The editor of a rule: a field put into a text, a condition mended as it was suggested. */
function ready() {
  for (const list of document.querySelectorAll("select[data-insert]")) list.hidden = false;
}

document.addEventListener("change", (event) => {
  const list = event.target.closest?.("select[data-insert]");
  if (!list || !list.value) return;
  const text = document.getElementById(list.dataset.insert);
  text.setRangeText(`{${list.value}}`, text.selectionStart, text.selectionEnd, "end");
  list.value = "";
  text.focus();
});
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-mend]");
  if (!button) return;
  const text = document.getElementById(button.dataset.mend);
  text.value = button.dataset.text;
  text.dispatchEvent(new Event("input", { bubbles: true }));
  text.focus();
});
document.addEventListener("htmx:afterSettle", ready);
ready();
