// The bar above the planes: what this is, the verdict, and what can be done.
import { icon, make } from "./dom.js";
import { Extra } from "./extra.js";

const TOOLS = {
  window: ["Window: drag across for width, down for centre", "M8 2a6 6 0 1 0 0 12zM8 2a6 6 0 0 1 0 12"],
  pan: ["Pan (shift or middle button)", "M8 1v14M1 8h14M8 1l-2 2M8 1l2 2M8 15l-2-2M8 15l2-2M1 8l2-2M1 8l2 2M15 8l-2-2M15 8l-2 2"],
  zoom: ["Zoom (ctrl and wheel, or right button)", "M7 2a5 5 0 1 0 0 10A5 5 0 0 0 7 2zM11 11l4 4M5 7h4M7 5v4"],
  cross: ["Crosshair: move the linked planes", "M8 1v5M8 10v5M1 8h5M10 8h5"],
};
const INVERT = ["Turn grey round (i)", "M3 3h10v10H3zM3 13L13 3M5 13l8-8M8 13l5-5M11 13l2-2"];
const OVER = ["Overlays: list (o shows and hides them)", "M2 5l6-3 6 3-6 3zM2 8l6 3 6-3M2 11l6 3 6-3"];
const COLOURS = { grey: "Grey", inverse: "Inverse grey", hot: "Hot iron" };
const RESET = ["Reset window, zoom and pan (r)", "M3 8a5 5 0 1 0 1.6-3.7M3 2v3.5h3.5"];
const WORDS = { regular: "Regular volume", sheared: "Sheared volume", irregular: "Irregular", stack: "Not a volume" };

export class Bar {
  constructor(viewer) {
    const { meta } = viewer;
    this.viewer = viewer;
    this.tools = Object.entries(TOOLS)
      .filter(([tool]) => (tool !== "cross" || viewer.linked) && (tool !== "window" || meta.samples === 1))
      .map(([tool, drawn]) => this.button(drawn, () => viewer.useTool(tool), { "data-tool": tool }));
    this.invert = this.button(INVERT, () => viewer.set({ invert: !viewer.look.invert }), { "data-act": "invert" });
    const reset = this.button(RESET, () => viewer.reset(), { "data-act": "reset" });
    this.presets = this.makePresets();
    this.colours = this.makeColours();
    this.layouts = viewer.linked ? this.makeLayouts() : [];
    this.over = this.button(OVER, () => viewer.overlays.panel.show(!viewer.overlays.panel.open), { "data-act": "overlays", hidden: "" });
    this.overText = make("span");
    this.over.append(this.overText);
    const groups = [
      ...(meta.samples === 1 ? [this.presets] : []),
      ...(viewer.states ? [viewer.states.select] : []),
      ...(meta.samples === 1 ? [this.colours] : []),
      make("div", { class: "group", role: "group", "aria-label": "Left drag" }, ...this.tools),
      make("div", { class: "group", role: "group" }, ...(meta.samples === 1 ? [this.invert] : []), reset),
      viewer.cine.el,
      this.layouts.length ? make("div", { class: "group words", role: "group", "aria-label": "Planes" }, ...this.layouts) : "",
      make("div", { class: "group over" }, this.over),
    ];
    this.extras = meta.dimensions.map((dimension, which) => new Extra(viewer, dimension, which));
    this.el = make(
      "div",
      { class: "bar" },
      make("div", { class: "title" }, ...meta.title.map((part) => make("span", { title: part }, part))),
      make("div", { class: "tools" }, ...groups),
      this.extras.length ? make("div", { class: "extras" }, ...this.extras.map(({ el }) => el)) : "",
      this.makeVerdict(),
      viewer.states?.words ?? "",
    );
  }

  button([words, path], act, more) {
    const made = make("button", { type: "button", title: words, "aria-label": words, ...more }, icon(path));
    made.addEventListener("click", act);
    return made;
  }

  makePresets() {
    const windows = this.viewer.presets;
    const name = ({ name: words }, n) => `${n < 9 ? `${n + 1}  ` : ""}${words || `Window ${n + 1}`}`;
    const options = windows.map((window, n) => make("option", { value: n }, name(window, n)));
    options.push(make("option", { value: "auto" }, "0  Auto"), make("option", { value: "own", hidden: "" }, "Own window"));
    options.push(make("option", { value: "state", hidden: "" }, "Of the state"));
    const select = make("select", { "aria-label": "Window preset", title: "Window preset (1 to 9, 0 is auto)" }, ...options);
    select.addEventListener("change", () => {
      this.viewer.preset(select.value === "auto" ? -1 : Number(select.value));
      this.viewer.el.focus({ preventScroll: true });
    });
    return select;
  }

  makeLayouts() {
    const names = ["planes", ...this.viewer.panes.map(({ name }) => name)];
    return names.map((name) => {
      const words = name === "planes" ? "All" : name;
      const made = make("button", { type: "button", "data-layout": name, title: `${words} (f)` }, words);
      made.addEventListener("click", () => this.viewer.set({ layout: name }));
      return made;
    });
  }

  makeColours() {
    const options = Object.entries(COLOURS).map(([value, words]) => make("option", { value }, words));
    const select = make("select", { "aria-label": "Colours", title: "Colours", "data-act": "colours" }, ...options);
    select.addEventListener("change", () => {
      this.viewer.set({ colours: select.value === "hot" ? "hot" : "grey", invert: select.value === "inverse" });
      this.viewer.el.focus({ preventScroll: true });
    });
    return select;
  }

  makeVerdict() {
    const { verdict, reason } = this.viewer.meta;
    const badge = make("b", {}, WORDS[verdict] ?? verdict);
    return make("div", { class: "verdict", "data-verdict": verdict }, badge, make("span", { title: reason }, reason));
  }

  update() {
    const { look, tool, auto, presets, states } = this.viewer;
    for (const made of this.tools) made.setAttribute("aria-pressed", made.dataset.tool === tool);
    for (const made of this.layouts) made.setAttribute("aria-pressed", made.dataset.layout === look.layout);
    this.invert.setAttribute("aria-pressed", look.invert);
    const { center: c, width: w, table: t } = look;
    const match = presets.findIndex(({ center, width, table }) => center === c && width === w && table === t);
    this.presets.value = states?.voi() ? "state" : match >= 0 ? match : auto ? "auto" : "own";
    this.colours.value = look.colours === "hot" ? "hot" : look.invert ? "inverse" : "grey";
    for (const extra of this.extras) extra.update();
    this.viewer.cine.update();
    this.updateOverlays();
  }

  updateOverlays() {
    const { overlays } = this.viewer;
    const many = overlays?.list.length ?? 0;
    const failed = overlays?.state === "failed";
    this.over.hidden = !many && !failed;
    if (this.over.hidden) return;
    this.over.disabled = failed;
    this.over.classList.toggle("away", overlays.away);
    this.over.setAttribute("aria-pressed", overlays.panel.open);
    this.overText.textContent = failed ? "Overlays could not be loaded" : `${overlays.away ? "Hidden" : "Overlays"} ${many}`;
  }
}
