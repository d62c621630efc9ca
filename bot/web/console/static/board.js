/** The board: a card dragged onto another stage, or its stage chosen on it, is moved by the server; what the
 * server refuses is told, and the card is back in its place. */
let dragged = null;

async function move(card, stage) {
  const list = document.querySelector(".board");
  const values = { stage, base: card.dataset.stage };
  await window.htmx.ajax("POST", `${list.dataset.move}/${card.dataset.id}/stage${location.search}`, {
    target: ".board", swap: "outerHTML", values,
  });
  document.querySelector(`[data-id="${card.dataset.id}"] a.to`)?.focus();
}

document.addEventListener("dragstart", (event) => {
  dragged = event.target.closest?.(".deal[draggable=true]");
  if (!dragged) return;
  event.dataTransfer.effectAllowed = "move";
  event.dataTransfer.setData("text/plain", dragged.dataset.id);
  dragged.classList.add("dragged");
});
document.addEventListener("dragend", () => {
  dragged?.classList.remove("dragged");
  for (const stage of document.querySelectorAll(".stage.over")) stage.classList.remove("over");
  dragged = null;
});
document.addEventListener("dragover", (event) => {
  const stage = dragged && event.target.closest(".stage");
  if (!stage) return;
  event.preventDefault();
  for (const other of document.querySelectorAll(".stage.over")) if (other !== stage) other.classList.remove("over");
  stage.classList.add("over");
});
document.addEventListener("drop", (event) => {
  const stage = dragged && event.target.closest(".stage");
  if (!stage) return;
  event.preventDefault();
  if (stage.dataset.stage !== dragged.dataset.stage) move(dragged, stage.dataset.stage);
});
document.addEventListener("change", (event) => {
  const card = event.target.matches(".deal select") && event.target.closest(".deal");
  if (card) move(card, event.target.value);
});
