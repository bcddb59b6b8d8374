// Presentation states: which there are, and the one in which the images are shown.
import { make } from "./dom.js";
import { bytesOf } from "./gray.js";

export class Presentations {
  constructor(viewer, frames) {
    Object.assign(this, { viewer, frames, meta: viewer.meta, list: [], chosen: null, state: "", followed: "", used: null });
    this.select = make("select", { "aria-label": "Presentation state", title: "Presentation state", class: "states", hidden: "" });
    this.select.addEventListener("change", () => {
      this.choose(this.select.value === "" ? null : this.list[Number(this.select.value)]);
      this.viewer.el.focus({ preventScroll: true });
    });
    this.words = make("div", { class: "presentation", role: "status", hidden: "" });
  }

  // Ask what there is, once, when the first image is painted.
  async load() {
    if (this.state) return;
    this.tell("asked");
    try {
      this.list = JSON.parse(new TextDecoder().decode(await this.frames.presentations()));
      this.tell(this.list.length ? "ready" : "none");
    } catch {
      this.tell("failed");
    }
    const names = this.list.map(({ label, possible, left }, n) => {
      const words = possible ? `As in presentation state: ${label}` : `${label}: cannot be applied (${left[0]})`;
      return make("option", { value: n, ...(possible ? {} : { disabled: "" }) }, words);
    });
    this.select.replaceChildren(make("option", { value: "" }, "As stored"), ...names);
    this.select.hidden = !this.list.length;
    this.update();
  }

  tell(state) {
    this.state = this.viewer.el.dataset.presentations = state;
  }

  // -- what is shown in which way

  choose(state) {
    const { viewer } = this;
    if (state === this.chosen) return;
    if (!this.chosen) this.before = { ...viewer.look };
    this.chosen = state;
    this.followed = "";
    this.used = null;
    for (const pane of viewer.panes) if (pane.axis === 0) pane.turn(state?.view ?? null);
    if (!state) Object.assign(viewer.look, this.asBefore());
    viewer.set({});
  }

  asBefore() {
    const { center, width, table, invert, colours } = this.before;
    return { center, width, table, invert, colours };
  }

  // The window that a state has for the image that is looked at: taken when this changes, and left to hands afterwards.
  follow() {
    const { chosen, viewer } = this;
    if (!chosen) return;
    const number = viewer.planeNumber(viewer.look.index[0], viewer.look.extra);
    const speaks = chosen.planes.includes(number);
    const which = speaks ? chosen.windows.findIndex(({ planes }) => planes.includes(number)) : -1;
    const followed = `${speaks}|${which}`;
    if (followed === this.followed) return;
    this.followed = followed;
    this.used = chosen.windows[which] ?? null;
    Object.assign(viewer.look, this.asBefore(), this.used && windowOfState(this.used));
    if (speaks && chosen.inverse !== null) {
      viewer.look.invert = chosen.inverse !== (this.meta.photometric === "MONOCHROME1"); // PS3.4 N.2.1.3
      viewer.look.colours = "grey";
    }
  }

  // Hands have set another window.
  leave() {
    this.used = null;
  }

  // The table and the function of the window in use; null where it is none of a state.
  voi() {
    const { used } = this;
    if (!used) return null;
    if (used.greys && !used.bytes) used.bytes = bytesOf(used.greys);
    const table = used.greys ? { first: used.first, greys: used.bytes, name: used.name } : null;
    return { key: `${this.chosen.sop_instance_uid}|${this.followed}`, table, curve: used.function };
  }

  // -- what is drawn, and what is told

  draw(pane) {
    if (pane.axis !== 0) return;
    const number = this.viewer.planeNumber(pane.painted.index, pane.painted.extra);
    pane.marks.draw(this.chosen, number, this.meta);
    pane.arrange(this.viewer.look);
  }

  update() {
    const { chosen, list } = this;
    this.select.value = chosen ? list.indexOf(chosen) : "";
    const failed = this.state === "failed";
    this.words.hidden = !chosen && !failed;
    this.words.textContent = failed ? "Presentation states could not be loaded." : chosen ? this.sentence() : "";
  }

  sentence() {
    const { chosen, viewer } = this;
    const speaks = chosen.planes.includes(viewer.planeNumber(viewer.look.index[0], viewer.look.extra));
    const parts = [speaks ? `Shown as in presentation state ${chosen.label}` : `${chosen.label} does not speak of this image`];
    if (speaks && chosen.left.length) parts.push(`not applied: ${chosen.left.join("; ")}`);
    if (viewer.linked) parts.push("figures and shutters are of the images as acquired only");
    return `${parts.join(" \u00b7 ")}.`;
  }
}

function windowOfState({ center, width, first, greys }) {
  if (!greys) return { center, width, table: null };
  const count = bytesOf(greys).length;
  return { center: first + count / 2, width: count, table: null };
}
