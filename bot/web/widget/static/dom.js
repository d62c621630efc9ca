/**
 * Make an element. Texts become text nodes, never markup.
 * @param {string} tag
 * @param {Object<string, any>} attributes `on…` are listeners; false and null leave an attribute out
 * @param {...(Node|string|null)} children
 */
function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

/** @param {string} path an icon's outline in a 24 by 24 box */
function icon(path) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  const line = document.createElementNS("http://www.w3.org/2000/svg", "path");
  line.setAttribute("d", path);
  svg.append(line);
  return svg;
}

const ICONS = {
  chat: "M4 5.5h16v11H9.5L5 20v-3.5H4z",
  help: "M12 3.5a8.5 8.5 0 1 1 0 17 8.5 8.5 0 0 1 0-17zM9.6 9.6a2.5 2.5 0 1 1 3.7 2.2c-.9.5-1.3 1-1.3 1.9M12 16.6v.1",
  close: "M6 6l12 12M18 6L6 18",
  send: "M4 12l16-7-6 15-2.5-6z",
  file: "M7 3h7l4 4v14H7zM14 3v4h4",
  clip: "M20 11.4l-8.3 8.3a5 5 0 0 1-7.1-7.1l8.6-8.6a3.3 3.3 0 0 1 4.7 4.7l-8.6 8.6a1.7 1.7 0 0 1-2.4-2.4l7.8-7.8",
  again: "M5 12a7 7 0 1 0 2.2-5.1L5 9M5 4v5h5",
};

// A web address, or a phone number: at least eight digits with what people put between them.
const SPECIAL = /\bhttps?:\/\/[^\s<>"']+|\+?\d[\d ()-]{6,}\d/g;

/**
 * A text with its web addresses as links, and its phone numbers kept whole: between right-to-left words their
 * groups would change places. Closing marks after an address belong to the sentence.
 * @param {string} text
 * @returns {(Node|string)[]}
 */
function linkify(text) {
  const pieces = [];
  let end = 0;
  for (const match of text.matchAll(SPECIAL)) {
    pieces.push(text.slice(end, match.index));
    if (!match[0].startsWith("http")) {
      pieces.push(h("bdi", { dir: "ltr" }, match[0]));
      end = match.index + match[0].length;
      continue;
    }
    let address = match[0].replace(/[.,;:!?।۔؟،…*_]+$/u, "");
    if (address.endsWith(")") && !address.includes("(")) address = address.slice(0, -1);
    pieces.push(h("a", { href: address, target: "_blank", rel: "noopener noreferrer", dir: "ltr" }, address.replace(/^https?:\/\//, "")));
    end = match.index + address.length;
  }
  pieces.push(text.slice(end));
  return pieces;
}
