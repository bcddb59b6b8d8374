// Elements. Text is always text: what a header says can never become markup.

const SVG = "http://www.w3.org/2000/svg";

export function make(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

export function makeSvg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

export function icon(path) {
  const drawn = makeSvg("path", { d: path });
  return makeSvg("svg", { viewBox: "0 0 16 16", "aria-hidden": "true", class: "icon" }, drawn);
}

export function minus(number, digits) {
  return (digits === undefined ? String(number) : number.toFixed(digits)).replace("-", "\u2212");
}
