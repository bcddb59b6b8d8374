// One plane: its image, and over it the crosshair, the edges' letters, the scale and what is shown.
import { Cover } from "./cover.js";
import { make, makeSvg } from "./dom.js";
import { Marks } from "./marks.js";
import { apply, invert, lpsOf, multiply, planeFrame } from "./matrix.js";

const GAP = 14; // px left free about the crosshair's centre
const LETTERS = ["LR", "PA", "SI"]; // positive, negative along x, y, z

export class Pane {
  constructor(meta, view, views) {
    Object.assign(this, { meta, view, name: view.name, axis: view.axis, pan: [0, 0], painted: null, size: [0, 0] });
    this.frame = planeFrame(meta, view);
    this.toScreen = this.frame.matrix;
    this.canvas = make("canvas", { "data-plane": view.name, width: 1, height: 1 });
    this.context = this.canvas.getContext("2d", { alpha: false, willReadFrequently: true });
    this.cover = new Cover(view.name);
    this.marks = new Marks();
    const cuts = (axis) => views.find((other) => other.axis === axis)?.name ?? "";
    this.lines = [this.frame.columnAxis, this.frame.rowAxis].map((axis) => makeSvg("path", { "data-cuts": cuts(axis) }));
    this.own = view;
    this.edges = make("div", { class: "edges" }, ...edgesOfView(view));
    this.place = make("span", { class: "place" });
    this.slice = make("span", { class: "slice" });
    this.coarse = make("span", { class: "coarse" });
    this.window = make("div", { class: "corner window" });
    this.scaleText = make("span");
    this.scale = make("div", { class: "scale" }, this.scaleText, make("i"));
    this.note = make("div", { class: "note", role: "status" });
    this.el = make(
      "div",
      { class: "pane", role: "group", "data-plane": view.name, "data-axis": view.axis, "aria-label": view.name === "image" ? nounOf(meta) : `${view.name} plane` },
      this.canvas,
      this.marks.shutter,
      this.cover.fills,
      this.cover.lines,
      this.marks.el,
      makeSvg("svg", { class: "cross", "aria-hidden": "true" }, ...this.lines),
      this.edges,
      make("div", { class: "corner heading" }, make("b", {}, view.name === "image" ? nounOf(meta) : view.name), this.slice, this.place, this.coarse),
      this.window,
      this.scale,
      this.note,
    );
  }

  // Draw as another view says: {transpose, flip_rows, flip_columns, spacing, labels}; as its own does where there is none.
  turn(view) {
    this.view = { ...this.own, ...view };
    this.frame = planeFrame(this.meta, this.view);
    this.edges.replaceChildren(...edgesOfView(this.view));
  }

  // Paint a plane that the store gave, unless it is there already. The canvas has the plane's own pixels; its transform
  // brings them to their place, so zoom and pan paint nothing.
  paint(plane, index, extra, painter) {
    const same = this.painted;
    if (same && same.values === plane.values && same.painter === painter && same.index === index) return;
    if (this.canvas.width !== plane.columns || this.canvas.height !== plane.rows || !this.image) {
      [this.canvas.width, this.canvas.height] = [plane.columns, plane.rows];
      this.image = this.context.createImageData(plane.columns, plane.rows);
      this.pixels = new Uint32Array(this.image.data.buffer);
    }
    painter(plane.values, this.pixels);
    this.context.putImageData(this.image, 0, 0);
    this.painted = { ...plane, index, extra, painter };
    this.slice.textContent = `${index + 1} / ${this.meta.shape[this.axis]}`;
    this.note.textContent = "";
    const { series_key, revision } = this.meta;
    Object.assign(this.canvas.dataset, {
      slice: index,
      level: plane.level,
      extra: extra.join(","),
      painted: [series_key, this.name, index, revision].join("|"),
    });
  }

  arrange({ index, zoom }) {
    const [width, height] = this.size;
    if (!width || !height) return;
    const [across, down] = this.frame.size;
    this.fit = Math.min(width / across, height / down);
    const scale = this.fit * zoom;
    const [left, top] = [(width - across * scale) / 2 + this.pan[0], (height - down * scale) / 2 + this.pan[1]];
    this.toScreen = multiply([scale, 0, 0, scale, left, top], this.frame.matrix);
    this.pxPerMm = scale;
    if (this.painted) {
      const [rows, columns] = this.painted.factors;
      const matrix = multiply(this.toScreen, [columns, 0, 0, rows, 0, 0]);
      this.canvas.style.transform = `matrix(${matrix.join(",")})`;
      const large = scale * Math.min(...this.view.spacing) > 12 * columns;
      this.canvas.classList.toggle("large", large || this.meta.supplemental !== null);
    }
    this.cover.arrange(this.toScreen, this.size);
    this.marks.arrange(this.toScreen, this.size);
    this.cross(index);
    this.measure(width);
    this.place.textContent = this.placeText(index);
  }

  // Screen px to voxel edges of full resolution.
  under(x, y) {
    return apply(invert(this.toScreen), [x, y]);
  }

  // Where what is shown is all the resolution that is ever asked for, and less than there is.
  tellCoarse(finest) {
    const { level, factors, columns, rows } = this.painted;
    const { rowAxis, columnAxis } = this.frame;
    const whole = `${this.meta.shape[columnAxis]} \u00d7 ${this.meta.shape[rowAxis]}`;
    const less = level > 0 && level === finest;
    const share = Number(Math.max(...factors).toPrecision(4)); // need not be whole where a level is an image of its own
    this.coarse.textContent = less ? `1/${share} resolution: ${columns} \u00d7 ${rows} of ${whole}` : "";
  }

  centre(index) {
    return apply(this.toScreen, [index[this.frame.columnAxis] + 0.5, index[this.frame.rowAxis] + 0.5]);
  }

  cross(index) {
    const [x, y] = this.centre(index);
    const far = this.size[0] + this.size[1];
    const [a, b, c, d] = this.toScreen;
    // The line for the plane across columns runs along the rows' axis, and the other way round.
    [[c, d], [a, b]].forEach(([along, down], which) => {
      const length = Math.hypot(along, down);
      const [dx, dy] = [along / length, down / length];
      const point = (t) => `${(x + t * dx).toFixed(1)} ${(y + t * dy).toFixed(1)}`;
      this.lines[which].setAttribute("d", `M${point(-far)}L${point(-GAP)}M${point(GAP)}L${point(far)}`);
    });
  }

  measure(width) {
    this.scale.hidden = this.meta.calibration === "none";
    if (this.scale.hidden) return;
    const longest = Math.min(width / 4, 160) / this.pxPerMm;
    const power = 10 ** Math.floor(Math.log10(longest));
    const mm = [5, 2, 1].map((n) => n * power).find((n) => n <= longest) ?? power;
    this.scale.style.width = `${mm * this.pxPerMm}px`;
    const length = mm >= 10 ? `${mm / 10} cm` : `${Number(mm.toPrecision(3))} mm`;
    this.scaleText.textContent = this.meta.calibration === "detector" ? `${length} at detector` : length;
  }

  // Where the plane lies along the patient's axis nearest to its normal, e.g. "S 12.5 mm".
  placeText(index) {
    const lps = lpsOf(this.meta, index);
    const k = { sagittal: 0, coronal: 1, axial: 2 }[this.name];
    if (!lps || k === undefined) return "";
    return `${LETTERS[k][lps[k] >= 0 ? 0 : 1]}\u2009${Math.abs(lps[k]).toFixed(1)} mm`;
  }
}

// What one of images is called that have no place in the patient.
function nounOf({ slices_are }) {
  return slices_are === "frame" ? "frame" : "image";
}

function edgesOfView({ labels }) {
  return Object.entries(labels).map(([edge, text]) => make("span", { class: `edge ${edge}` }, text));
}
