// Elements. Text is always text: what a header says can never become markup.
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

export function button(words, act, attributes = {}) {
  const made = make("button", { type: "button", ...attributes }, words);
  made.addEventListener("click", act);
  return made;
}

const press = { on: false, waiting: new Map() };

// Draw anew without taking the keyboard away: what has the focus is found again by its data-focus. While the pointer is
// pressed it waits: a click needs the element on which it began, and would be lost.
export function redraw(root, ...children) {
  const drawn = children.flat().filter(Boolean);
  if (press.on) return void press.waiting.set(root, drawn);
  press.waiting.delete(root);
  const held = root.getRootNode().activeElement?.dataset?.focus;
  root.replaceChildren(...drawn);
  if (held) root.querySelector(`[data-focus="${CSS.escape(held)}"]`)?.focus({ preventScroll: true });
}

function released() {
  if (!press.on) return;
  press.on = false;
  // After the click, which follows in the same task.
  setTimeout(() => !press.on && [...press.waiting].forEach(([root, drawn]) => redraw(root, drawn)));
}

addEventListener("pointerdown", ({ button: which }) => (press.on ||= which === 0), true);
addEventListener("pointermove", ({ buttons }) => buttons & 1 || released(), true);
for (const end of ["pointerup", "pointercancel", "blur"]) addEventListener(end, ({ target }) => (end !== "blur" || target === window) && released(), true);

// The small picture of a series, or what it is of: what arrives has a picture only if it is an image.
export function picture({ thumbnail, modality }, size) {
  const none = make("div", { class: "noimage", "aria-hidden": "true" }, (modality || "?").slice(0, 8));
  if (!thumbnail) return none;
  const image = make("img", { src: thumbnail, alt: "", loading: "lazy", width: size, height: size });
  image.addEventListener("error", () => image.replaceWith(none));
  return image;
}

export function many(number, one, several = `${one}s`) {
  return `${number.toLocaleString("en")} ${number === 1 ? one : several}`;
}
