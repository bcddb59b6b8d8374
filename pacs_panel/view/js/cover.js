// What lies over the image of one pane: fills in the plane's own pixels, which its transform brings to their place as it does
// those of the image; and lines and areas that are paths, in pixels of the screen, so that they are crisp at every zoom.
import { make } from "./dom.js";

const TOGETHER = { xor: "xor", add: "source-over", cut: "destination-out" };

export class Cover {
  constructor(plane) {
    this.fills = make("canvas", { class: "fills", "data-over": plane, width: 1, height: 1, hidden: "" });
    this.lines = make("canvas", { class: "lines", "data-lines": plane, width: 1, height: 1, hidden: "" });
    this.shapes = [];
    this.matrix = null;
    this.size = [0, 0];
    this.drawn = "";
  }

  // Forget what is drawn: at once, for what belongs to another plane is never left over this one.
  clear() {
    if (this.drawn === "") return;
    this.drawn = "";
    this.fills.hidden = this.lines.hidden = true;
    this.shapes = [];
    delete this.fills.dataset.painted;
  }

  // Each painter sets pixels (32-bit RGBA) of a plane; the first lies lowest. A shape is
  // {path, areas, opacity, colour}, in voxel edges: a line, and what is filled.
  draw(state, columns, rows, painters, shapes) {
    this.drawn = state;
    this.fills.hidden = !painters.length;
    if (painters.length) this.fill(columns, rows, painters);
    this.shapes = shapes;
    this.stroke();
    this.fills.dataset.painted = state;
  }

  fill(columns, rows, painters) {
    this.fills.width = columns;
    this.fills.height = rows;
    this.context ??= this.fills.getContext("2d", { willReadFrequently: true });
    painters.forEach((paint, n) => {
      const image = this.context.createImageData(columns, rows);
      paint(new Uint32Array(image.data.buffer));
      if (n === 0) {
        this.context.putImageData(image, 0, 0);
        return;
      }
      this.scratch ??= document.createElement("canvas");
      [this.scratch.width, this.scratch.height] = [columns, rows];
      this.scratch.getContext("2d").putImageData(image, 0, 0);
      this.context.drawImage(this.scratch, 0, 0);
    });
  }

  arrange(matrix, size) {
    const same = this.matrix && size.join() === this.size.join() && matrix.every((n, k) => n === this.matrix[k]);
    if (same) return;
    this.matrix = matrix;
    this.size = [...size];
    this.fills.style.transform = `matrix(${matrix.join(",")})`;
    this.stroke();
  }

  stroke() {
    this.lines.hidden = !this.shapes.length;
    if (!this.shapes.length || !this.matrix) return;
    const ratio = window.devicePixelRatio || 1;
    const [width, height] = this.size.map((length) => Math.max(1, Math.round(length * ratio)));
    if (this.lines.width !== width || this.lines.height !== height) {
      [this.lines.width, this.lines.height] = [width, height];
      this.lines.style.width = `${this.size[0]}px`;
      this.lines.style.height = `${this.size[1]}px`;
    }
    const context = this.lines.getContext("2d");
    context.clearRect(0, 0, width, height);
    context.lineWidth = 1.5 * ratio;
    context.lineJoin = "round";
    const toScreen = new DOMMatrix(this.matrix.map((n) => n * ratio));
    const placed = (path) => {
      const onScreen = new Path2D();
      onScreen.addPath(path, toScreen);
      return onScreen;
    };
    for (const { areas, opacity, colour } of this.shapes) {
      if (!areas?.length || !opacity) continue;
      [context.fillStyle, context.globalAlpha] = [colour, opacity];
      if (areas.length === 1) context.fill(placed(areas[0].area), "evenodd");
      else context.drawImage(this.joined(areas, colour, placed), 0, 0);
    }
    context.globalAlpha = 1;
    for (const { path, colour } of this.shapes) {
      if (!path) continue;
      context.strokeStyle = colour;
      context.stroke(placed(path));
    }
  }
  // Areas that overlap, as one: drawn apart, so that where they do it is no less transparent.
  joined(areas, colour, placed) {
    this.draft ??= document.createElement("canvas");
    [this.draft.width, this.draft.height] = [this.lines.width, this.lines.height];
    const context = this.draft.getContext("2d");
    context.fillStyle = colour;
    for (const { how, area } of areas) {
      context.globalCompositeOperation = TOGETHER[how];
      context.fill(placed(area), "evenodd");
    }
    return this.draft;
  }
}
