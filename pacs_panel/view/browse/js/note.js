// What stands where there is no image.
import { make, redraw } from "./elements.js";

export function render({ model }) {
  const root = make("div", { class: "empty" });
  const update = () => {
    const { title, words, link, state } = model.shown;
    root.dataset.state = state ?? "";
    const way = link && make("a", { href: link[0] }, link[1]);
    redraw(root, make("h2", {}, title ?? ""), make("p", { role: "status" }, words ?? ""), way || null);
  };
  model.on("shown", update);
  update();
  return root;
}
