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
  close: "M6 6l12 12M18 6L6 18",
  send: "M4 12l16-7-6 15-2.5-6z",
  file: "M7 3h7l4 4v14H7zM14 3v4h4",
};

const ADDRESS = /\bhttps?:\/\/[^\s<>"']+/g;

/**
 * A text with its web addresses as links. Closing marks after an address belong to the sentence.
 * @param {string} text
 * @returns {(Node|string)[]}
 */
function linkify(text) {
  const pieces = [];
  let end = 0;
  for (const match of text.matchAll(ADDRESS)) {
    let address = match[0].replace(/[.,;:!?।…*_]+$/u, "");
    if (address.endsWith(")") && !address.includes("(")) address = address.slice(0, -1);
    pieces.push(text.slice(end, match.index));
    pieces.push(h("a", { href: address, target: "_blank", rel: "noopener noreferrer" }, address.replace(/^https?:\/\//, "")));
    end = match.index + address.length;
  }
  pieces.push(text.slice(end));
  return pieces;
}
