// Whose series this is, when and what; how it follows the others; and the way out of the comparison.
import { button, make, redraw } from "./elements.js";

export function render({ model }) {
  const root = make("div", { class: "caption" });
  const update = () => {
    const { name, id, facts = [], href, frame, said, closable } = model.shown;
    const who = make("p", { class: "who" }, make("b", {}, name || "No name"), make("span", {}, id || "no ID"));
    const follows = make("em", { role: "status" }, said || "");
    const what = make("p", { class: "what" }, facts.map((words) => make("span", {}, words)), follows);
    const place = frame && make("span", { class: "frame", title: "Series with the same letter lie in one frame of reference" }, `frame ${frame}`);
    const open = href && make("a", { href, "data-focus": "open" }, "Open");
    const words = `Take this series out of the comparison: ${facts.join(", ")}`;
    const close = closable && button("×", () => model.send_msg({ kind: "close" }), { class: "close", "aria-label": words, title: "Take out of the comparison", "data-focus": "close" });
    redraw(root, make("div", { class: "texts" }, who, what), make("div", { class: "ways" }, place, open, close));
  };
  model.on("shown", update);
  update();
  return root;
}
