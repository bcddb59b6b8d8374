// A content tree that folds. What is folded is made when it is opened, so a long report shows at once.
import { el } from "./parts.js";

const OPEN_DEPTH = 3;
const TYPES = { container: "group", num: "number", uidref: "UID", pname: "person", scoord: "region", scoord3d: "region in space", tcoord: "times", datetime: "date and time" };
const typed = (type) => TYPES[type.toLowerCase()] ?? type.toLowerCase();

export class Tree {
  constructor({ root, more }) {
    const rest = more > 0 && el("p", { class: "rest" }, `and ${more.toLocaleString("en")} more items, which the header tells`);
    this.all = el("button", { type: "button" }, "Open all");
    this.all.addEventListener("click", () => this.open());
    this.top = this.node(root, 0);
    this.el = el("div", { class: "tree" }, root.children.length > 0 && this.all, this.top, rest);
  }

  node(node, depth) {
    const line = this.line(node);
    if (!node.children.length) return el("div", { class: "leaf", title: node.code }, line);
    const made = el("details", { open: depth < OPEN_DEPTH, title: node.code }, el("summary", {}, line));
    const inside = () => made.childElementCount === 1 && made.append(el("div", { class: "inside" }, node.children.map((child) => this.node(child, depth + 1))));
    made.addEventListener("toggle", () => made.open && inside());
    made.fill = inside;
    if (made.open) inside();
    return made;
  }

  line({ name, type, relation, value }) {
    const told = name || (relation || typed(type));
    return [el("b", {}, told), value && el("span", { class: "value" }, value), el("span", { class: "type" }, typed(type))];
  }

  open() {
    const folded = [...this.el.querySelectorAll("details:not([open])")];
    for (const one of folded) {
      one.fill();
      one.open = true;
    }
    if (folded.length) this.open();
  }
}
