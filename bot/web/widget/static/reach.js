/**
 * Nobody is there: a place to leave an address at which the business can answer later.
 * @param {{t: (key: string) => string, leave: (address: string) => void}} on
 */
function makeReach(on) {
  const { t } = on;
  const input = h("input", { type: "text", id: "reach", name: "address", autocomplete: "email", maxlength: "200", dir: "ltr", required: true, "aria-describedby": "reach-why" });
  const fault = h("p", { class: "fault", role: "alert", hidden: true });
  const form = h("form", { novalidate: true },
    h("label", { for: "reach" }, t("address")),
    h("div", { class: "line" }, input, h("button", { type: "submit", class: "leave" }, t("leave"))),
    fault);
  const why = h("p", { id: "reach-why" }, t("away"));
  const element = h("div", { class: "reach", hidden: true }, why, form);
  let left = false;
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const address = input.value.trim();
    const likely = /^[^\s@]+@[^\s@]+\.[^\s@]+$/.test(address) || address.replace(/\D/g, "").length >= 7;
    if (!likely) return refuse(t("address_wrong"));
    fault.hidden = true;
    on.leave(address);
    left = true;
    form.hidden = true;
    why.textContent = t("left");
    why.setAttribute("role", "status");
  });
  function refuse(text) {
    left = false;
    form.hidden = false;
    why.textContent = t("away");
    fault.textContent = text;
    fault.hidden = false;
    input.setAttribute("aria-invalid", "true");
    input.focus();
  }
  return {
    element,
    refuse,
    /** Another visitor's page from here on. */
    clear() {
      left = false;
      form.hidden = false;
      form.reset();
      fault.hidden = true;
      input.removeAttribute("aria-invalid");
      why.textContent = t("away");
      why.removeAttribute("role");
      element.hidden = true;
    },
    /** @param {boolean} away whether nobody is there, and we do not know how to reach the visitor */
    show(away) {
      if (!left) element.hidden = !away;
      else if (!away) setTimeout(() => { element.hidden = true; }, 8000);
    },
  };
}
