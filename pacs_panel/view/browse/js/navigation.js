// Ways to the other pages.
import { make, redraw } from "./elements.js";

export function render({ model }) {
  const root = make("nav", { "aria-label": "Pages" });
  const update = () => {
    const links = model.shown.links ?? [];
    redraw(root, links.map(({ href, words, here }) => make("a", { href, "aria-current": here ? "page" : null }, words)));
  };
  model.on("shown", update);
  update();
  return root;
}
