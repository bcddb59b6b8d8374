// What lies under the pointer, in words: the value, what lies over it, and where it is.
import { make, minus } from "./dom.js";
import { indexAt, lpsOf } from "./matrix.js";

const MOST = 4; // names of what lies over one place

export class Readout {
  constructor(viewer) {
    this.viewer = viewer;
    this.at = null;
    this.el = make("output", { class: "readout" });
  }

  // Tell of a place of a pane, in px; of nothing where there is no pane.
  show(pane, at) {
    this.at = pane ? [pane, at] : null;
    const texts = pane?.painted ? this.texts(pane, pane.under(...at)) : [];
    this.el.replaceChildren(...texts.map((text) => make("span", {}, text)));
  }

  again() {
    if (this.at) this.show(...this.at);
  }

  texts(pane, place) {
    const { meta, look, overlays } = this.viewer;
    const index = indexAt(pane.frame, pane.view, look.index, place);
    if (!index) return [];
    index[pane.axis] = pane.painted.index;
    const lps = lpsOf(meta, index);
    const over = overlays?.at(pane, index, place) ?? [];
    const more = over.length > MOST ? [`and ${over.length - MOST} more`] : [];
    const where = lps ? `LPS ${lps.map((mm) => minus(mm, 1)).join(", ")} mm` : "";
    const voxel = `column ${index[2]}, row ${index[1]}, ${meta.views.length ? "slice" : meta.slices_are} ${index[0]}`;
    return [this.value(pane, index), ...over.slice(0, MOST), ...more, where, voxel].filter(Boolean);
  }

  // The value itself, where the plane is painted at full resolution; else what its coarser voxel holds, marked so.
  value({ painted, frame }, index) {
    const { values, level, rows, columns, factors } = painted;
    const { samples, slope, intercept, unit, padding } = this.viewer.meta;
    // A coarser level that is an image of its own may end a little before the finest does.
    const row = Math.min(Math.floor(index[frame.rowAxis] / factors[0]), rows - 1);
    const column = Math.min(Math.floor(index[frame.columnAxis] / factors[1]), columns - 1);
    const place = (row * columns + column) * samples;
    const about = level ? "\u2248 " : "";
    if (samples === 3) return `${about}RGB ${values.slice(place, place + 3).join(", ")}`;
    const stored = values[place];
    if (padding && stored >= padding[0] && stored <= padding[1]) return "no image here (padding)";
    const extra = this.viewer.supplement;
    if (extra && stored >= extra.first) {
      const pixel = extra.pixels[Math.min(stored - extra.first, extra.pixels.length - 1)];
      return `${about}colour RGB ${[pixel & 255, (pixel >> 8) & 255, (pixel >> 16) & 255].join(", ")}`;
    }
    const value = Number((stored * slope + intercept).toPrecision(8));
    return `${about}${minus(value)}${unit ? ` ${unit}` : ""}`;
  }
}
