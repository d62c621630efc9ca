/** The three suggestions say themselves in the chat. */
for (const button of document.querySelectorAll("[data-say]")) {
  button.addEventListener("click", () => {
    const text = button.dataset.say;
    if (window.Samvad) window.Samvad.send(text);
    else window.addEventListener("samvad:ready", () => window.Samvad.send(text), { once: true });
  });
}
