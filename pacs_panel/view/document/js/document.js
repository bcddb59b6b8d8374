// A document: its blocks, one below the other. All that it says is text, never markup.
import { el } from "./parts.js";
import { Tree } from "./tree.js";
import { Waves } from "./waves.js";

const DRAWN = {
  words: ({ text }) => el("p", { class: "words" }, text),
  table: (block) => table(block),
  tree: (block) => new Tree(block).el,
  links: ({ links }) => el("ul", { class: "links" }, links.map((link) => el("li", { class: link.href ? "" : "missing" }, link.href ? el("a", { href: link.href }, link.words) : el("b", {}, link.words), el("span", {}, link.more)))),
  pdf: ({ title, href }) => el("iframe", { src: href, title }),
  download: ({ href, size }) => el("a", { class: "download", href, download: "" }, `Download (${bytes(size)})`),
  waves: (block) => new Waves(block).el,
};

function table({ columns, rows, more }) {
  const head = el("thead", {}, el("tr", {}, columns.map((words) => el("th", { scope: "col" }, words))));
  const body = el("tbody", {}, rows.map((row) => el("tr", {}, row.map((cell) => el("td", {}, cell)))));
  const rest = more > 0 && el("p", { class: "rest" }, `and ${more.toLocaleString("en")} more`);
  return el("div", {}, el("div", { class: "wide", tabindex: 0 }, el("table", {}, head, body)), rest);
}

function bytes(size) {
  if (size < 1000) return `${size} bytes`;
  return size < 1e6 ? `${(size / 1e3).toFixed(1)} kB` : `${(size / 1e6).toFixed(1)} MB`;
}

function block(value) {
  const title = value.title && value.form !== "download" && el("h3", {}, value.title);
  return el("section", { "data-form": value.form }, title, DRAWN[value.form](value));
}

export function render({ model }) {
  const root = el("div", { class: "document" });
  const update = () => {
    const { kind, title, blocks = [] } = model.shown;
    root.replaceChildren(el("header", {}, el("p", { class: "kind" }, kind ?? ""), el("h2", {}, title ?? "")), ...blocks.map(block));
  };
  model.on("shown", update);
  update();
  return root;
}
