/** What the script tag asks for. docs/widget.md explains each. */
function readOptions() {
  const { dataset } = TAG;
  return {
    lang: dataset.lang,
    title: dataset.title || BUSINESS,
    welcome: dataset.welcome,
    color: dataset.color,
    theme: dataset.theme || "auto",
    position: dataset.position,
    icon: dataset.icon,
    launcher: dataset.launcher !== "hidden",
    open: dataset.open === "true",
    user: dataset.user,
    greeting: {
      text: dataset.greeting,
      after: dataset.greetAfter,
      scroll: dataset.greetScroll,
      exit: dataset.greetExit !== undefined,
      on: dataset.greetOn,
    },
  };
}

/** How bright a colour is, as WCAG reckons. @param {number[]} rgb @returns {number} 0 to 1 */
function luminance(rgb) {
  const [r, g, b] = rgb.map((part) => {
    const value = part / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

/** @param {number[]} one @param {number[]} other @returns {number} 1 to 21 */
function contrast(one, other) {
  const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (light + 0.05) / (dark + 0.05);
}

/** Any CSS colour as red, green and blue; null when it is none. */
function toRgb(color) {
  if (!color || !window.CSS.supports("color", color)) return null;
  const brush = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  brush.fillStyle = color;
  brush.fillRect(0, 0, 1, 1);
  const [r, g, b, a] = brush.getImageData(0, 0, 1, 1).data;
  return a === 255 ? [r, g, b] : null;
}

/**
 * Put the accent where it can be read: text on it is black or white, whichever stands out more; as a text of its
 * own it is used only where it stands out enough.
 */
function paint(shell, color) {
  const rgb = toRgb(color);
  if (rgb === null) {
    if (color) console.warn(`Samvad: data-color is not a solid colour: ${color}`);
    return;
  }
  const white = [255, 255, 255];
  const set = (name, value) => shell.style.setProperty(name, value);
  set("--accent", `rgb(${rgb})`);
  set("--on-accent", contrast(rgb, white) >= contrast(rgb, [0, 0, 0]) ? "#fff" : "#000");
  if (contrast(rgb, white) < 4.5) set("--accent-light", "var(--ink)");
  set("--accent-dark", contrast(rgb, [29, 36, 33]) < 4.5 ? "var(--ink)" : `rgb(${rgb})`);
}

/** Light or dark as asked, or as the browser is. */
function follow(shell, theme) {
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const apply = () => shell.classList.toggle("dark", theme === "dark" || (theme !== "light" && dark.matches));
  dark.addEventListener("change", apply);
  apply();
}
