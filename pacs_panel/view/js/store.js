// The frames at hand: single slices of full resolution, and whole levels out of which any plane is cut at once.
import { IN_PLANE } from "./matrix.js";
import { Recent } from "./recent.js";

const MIB = 1 << 20;
const WHOLE_LEVEL = 64 * MIB;
const QUICK_LEVEL = 4 * MIB;
const PLANE = 64 * MIB; // the largest plane that is asked for as one piece
const QUICK_PLANE = 2 * MIB; // above this a coarser plane is asked for first
const SLICES = 256 * MIB;
const VOLUMES = 256 * MIB;
const AT_ONCE = 4;
const AHEAD_BYTES = 48 * MIB;

const ARRAYS = {
  uint8: Uint8Array,
  int8: Int8Array,
  uint16: Uint16Array,
  int16: Int16Array,
  uint32: Uint32Array,
  int32: Int32Array,
  float32: Float32Array,
  float64: Float64Array,
};

export class Store {
  constructor(frames, meta, { arrived, failed }) {
    Object.assign(this, { frames, meta, arrived, failed });
    this.slices = new Recent(SLICES);
    this.volumes = new Recent(VOLUMES);
    this.cuts = [null, null, null];
    this.running = new Set();
    this.queue = [];
    this.filling = null;
    this.closed = false;
    const bytes = (level, axis) => IN_PLANE[axis].reduce((n, k) => n * meta.levels[level].shape[k], this.voxel());
    const upTo = (most, axis) => meta.levels.findIndex((_, level) => bytes(level, axis) <= most);
    const orLast = (level) => (level < 0 ? meta.levels.length - 1 : level);
    // By axis: the finest level whose planes are asked for, the one for a quick look, and what one plane takes.
    this.finest = [0, 1, 2].map((axis) => orLast(upTo(PLANE, axis)));
    this.quick = [0, 1, 2].map((axis) => orLast(upTo(QUICK_PLANE, axis)));
    this.bytes = [0, 1, 2].map((axis) => bytes(this.finest[axis], axis));
  }

  voxel() {
    return this.meta.samples * ARRAYS[this.meta.dtype].BYTES_PER_ELEMENT;
  }

  // The index on a coarser level, which may span a fraction of a voxel more or less than the finest.
  at(level, axis, index) {
    const { shape, factors } = this.meta.levels[level];
    return Math.min(Math.floor(index / factors[axis]), shape[axis] - 1);
  }

  nameOf(level, axis, index, extra) {
    return keyOf(level, axis, this.at(level, axis, index), extra);
  }

  // Whether a plane is here as finely as it will ever be.
  has(axis, index, extra) {
    const level = this.finest[axis];
    return this.slices.has(this.nameOf(level, axis, index, extra)) || this.volumes.has(keyOf(level, extra));
  }

  // The best that is here of one plane, or null: {values, rows, columns, level, factors}. The same object for as long as
  // nothing better has come, so that a plane is neither cut nor painted twice.
  plane(axis, index, extra) {
    const key = keyOf(axis, index, extra);
    for (let level = this.finest[axis]; level < this.meta.levels.length; level++) {
      const single = this.slices.get(this.nameOf(level, axis, index, extra));
      const volume = single ? null : this.volumes.get(keyOf(level, extra));
      if (!single && !volume) continue;
      const last = this.cuts[axis];
      if (last?.key === key && last.plane.level === level) return last.plane;
      const plane = this.cut(single ?? this.across(volume, level, axis, index), level, axis);
      this.cuts[axis] = { key, plane };
      return plane;
    }
    return null;
  }

  cut(values, level, axis) {
    const [rowAxis, columnAxis] = IN_PLANE[axis];
    const { shape, factors } = this.meta.levels[level];
    return {
      values,
      level,
      rows: shape[rowAxis],
      columns: shape[columnAxis],
      factors: [factors[rowAxis], factors[columnAxis]],
    };
  }

  across(volume, level, axis, fine) {
    const [slices, rows, columns] = this.meta.levels[level].shape;
    const { samples } = this.meta;
    const index = this.at(level, axis, fine);
    const size = rows * columns * samples;
    if (axis === 0) return volume.subarray(index * size, (index + 1) * size);
    const width = (axis === 1 ? columns : rows) * samples;
    const values = new volume.constructor(slices * width);
    for (let slice = 0; slice < slices; slice++) {
      if (axis === 1) {
        const first = (slice * rows + index) * columns * samples;
        values.set(volume.subarray(first, first + width), slice * width);
      } else {
        const first = slice * size + index * samples;
        for (let row = 0; row < rows; row++) {
          for (let n = 0; n < samples; n++) {
            values[slice * width + row * samples + n] = volume[first + row * columns * samples + n];
          }
        }
      }
    }
    return values;
  }

  // Ask for the next better one of a plane, which for a large one is a coarse one first; `arrived(axis, index)` is called
  // when it is here.
  want(axis, index, extra) {
    this.queue = this.queue.filter((task) => !task.ahead);
    const coarse = this.quick[axis] > this.finest[axis] && !this.plane(axis, index, extra);
    this.enqueue(coarse ? this.quick[axis] : this.finest[axis], axis, index, extra, false);
  }

  // Ask for those that may be shown next: [index, extra], the nearest first.
  ahead(axis, places) {
    const most = Math.max(1, Math.floor(AHEAD_BYTES / this.bytes[axis]));
    for (const [index, extra] of places.slice(0, most)) this.enqueue(this.finest[axis], axis, index, extra, true);
  }

  enqueue(level, axis, index, extra, ahead) {
    const key = this.nameOf(level, axis, index, extra);
    if (this.slices.has(key) || this.running.has(key) || this.volumes.has(keyOf(level, extra))) return;
    this.queue = this.queue.filter((task) => task.key !== key);
    const task = { key, level, axis, index, extra, ahead };
    if (ahead) this.queue.push(task);
    else this.queue.unshift(task);
    this.next();
  }

  async next() {
    if (this.closed || this.running.size >= AT_ONCE || !this.queue.length) return;
    const { key, level, axis, index, extra } = this.queue.shift();
    this.running.add(key);
    try {
      const bytes = await this.frames.slice(level, axis, this.at(level, axis, index), extra);
      if (this.closed) return;
      this.slices.set(key, this.typed(bytes));
      this.arrived(axis, index);
    } catch (error) {
      if (!this.closed) this.failed(error);
    } finally {
      this.running.delete(key);
      this.next();
    }
  }

  // Load whole levels in the background, a coarse one for a quick look first.
  async fill(extra) {
    const wanted = extra.join(",");
    if (this.filling === wanted) return;
    this.filling = wanted;
    for (const level of this.worthFilling()) {
      if (this.volumes.get(keyOf(level, extra))) continue;
      try {
        const bytes = await this.frames.volume(level, extra);
        if (this.closed) return;
        this.volumes.set(keyOf(level, extra), this.typed(bytes));
        if (this.filling !== wanted) return;
        this.arrived();
      } catch (error) {
        if (!this.closed) this.failed(error);
        return;
      }
    }
  }

  worthFilling() {
    const { levels } = this.meta;
    const bytes = levels.map(({ shape }) => shape[0] * shape[1] * shape[2] * this.voxel());
    const small = levels.map((_, level) => level).filter((level) => bytes[level] <= WHOLE_LEVEL);
    const quick = small.find((level) => bytes[level] <= QUICK_LEVEL);
    return small.filter((level) => quick === undefined || level <= quick).reverse();
  }

  typed(bytes) {
    return new ARRAYS[this.meta.dtype](bytes);
  }

  close() {
    this.closed = true;
    this.queue = [];
    this.frames.close();
  }
}

function keyOf(...parts) {
  return parts.flat().join("|");
}
