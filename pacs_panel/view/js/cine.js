// Plays frames at a speed: along time where there is time, else along the slices of the plane in use.
import { icon, make } from "./dom.js";

const PLAY = "M4 2.5l9 5.5-9 5.5z";
const STOP = "M4 3h3v10H4zM9 3h3v10H9z";
const SPEEDS = [1, 2, 5, 10, 15, 20, 25, 30, 40, 50, 60];
const USUAL = 10; // frames/s where nobody says how they were recorded
const TIMES = /time|phase|cardiac|dynamic|frame|instance|acquisition|position/;
const FURTHER = 8; // frames that are asked for before their turn

export class Cine {
  constructor(viewer) {
    Object.assign(this, { viewer, playing: false, track: null, shown: 0, since: 0, first: 0 });
    const { frame_time: time } = viewer.meta;
    this.usual = time > 0 ? Math.min(Math.max(1000 / time, 0.5), 120) : USUAL;
    this.usual = Number(this.usual.toPrecision(3));
    this.button = make("button", { type: "button", "data-act": "play" });
    this.button.addEventListener("click", () => this.toggle());
    const speeds = [...new Set([...SPEEDS, this.usual])].sort((a, b) => a - b);
    const options = speeds.map((speed) => make("option", { value: speed }, `${speed} fps`));
    this.speeds = make("select", { "aria-label": "Speed", title: "Frames a second", "data-act": "speed" }, ...options);
    this.speeds.addEventListener("change", () => this.useSpeed(Number(this.speeds.value)));
    this.el = make("div", { class: "group cine", role: "group", "aria-label": "Cine" }, this.button, this.speeds);
    this.hide = () => document.hidden && this.stop();
    document.addEventListener("visibilitychange", this.hide);
  }

  get speed() {
    return this.viewer.look.speed ?? this.usual;
  }

  get possible() {
    return this.choose() !== null;
  }

  // What is played: {which, size} of an extra dimension, or {axis, size}.
  choose() {
    const { meta, active } = this.viewer;
    const many = meta.dimensions.map(({ name, values }, which) => ({ which, name, size: values.length })).filter(({ size }) => size > 1);
    const timed = many.find(({ name }) => TIMES.test(name));
    if (timed) return timed;
    const size = meta.shape[active.axis];
    return size > 1 ? { axis: active.axis, size } : many.at(-1) ?? null;
  }

  toggle() {
    if (this.playing) this.stop();
    else this.play();
  }

  play() {
    this.track = this.choose();
    if (!this.track) return;
    this.playing = true;
    this.restart();
    this.viewer.heading = { which: this.track.which ?? null, by: 1 };
    this.update();
    this.next();
  }

  stop() {
    if (!this.playing) return;
    this.playing = false;
    cancelAnimationFrame(this.frame);
    this.update();
    this.viewer.update();
  }

  useSpeed(speed) {
    this.viewer.set({ speed });
    this.restart();
    this.viewer.el.focus({ preventScroll: true });
  }

  restart() {
    this.first = this.track ? this.now() : 0;
    [this.shown, this.since] = [0, performance.now()];
  }

  now() {
    const { look } = this.viewer;
    return this.track.which === undefined ? look.index[this.track.axis] : look.extra[this.track.which];
  }

  next() {
    this.frame = requestAnimationFrame((time) => {
      if (!this.playing) return;
      this.tick(time);
      this.next();
    });
  }

  // Show the frame whose turn it is. Those that are too late to be painted are left out; for one that has not come yet the
  // clock stands still, so that none is left out for that.
  tick(time) {
    if (!this.viewer.el.isConnected) return this.stop();
    if (this.now() !== this.turn(this.shown)) this.restart(); // a hand has moved it
    const due = Math.floor(((time - this.since) * this.speed) / 1000);
    if (due <= this.shown) return;
    let step = due;
    while (step > this.shown && !this.ready(step)) step--;
    if (step > this.shown) this.show(step);
    if (step < due) this.since = time - ((this.shown + 0.999) * 1000) / this.speed;
    this.askAhead();
  }

  turn(step) {
    return (this.first + step) % this.track.size;
  }

  // Where the look is at a step.
  place(step) {
    const { look } = this.viewer;
    const { which, axis } = this.track;
    const at = this.turn(step);
    const put = (list, position) => list.map((old, n) => (n === position ? at : old));
    return which === undefined ? { index: put(look.index, axis) } : { extra: put(look.extra, which) };
  }

  panes() {
    const { viewer, track } = this;
    return viewer.panes.filter((pane) => viewer.shows(pane) && (track.which !== undefined || pane.axis === track.axis));
  }

  ready(step) {
    const { index, extra } = { ...this.viewer.look, ...this.place(step) };
    return this.panes().every(({ axis }) => this.viewer.store.has(axis, index[axis], extra));
  }

  show(step) {
    this.shown = step;
    this.viewer.set(this.place(step));
  }

  askAhead() {
    const { look, store } = this.viewer;
    for (const { axis } of this.panes()) {
      const places = Array.from({ length: Math.min(FURTHER, this.track.size - 1) }, (_, n) => {
        const { index, extra } = { ...look, ...this.place(this.shown + 1 + n) };
        return [index[axis], extra];
      });
      store.ahead(axis, places);
    }
  }

  update() {
    this.el.hidden = !this.possible;
    const words = `${this.playing ? "Pause" : "Play"} (space)`;
    if (this.button.title !== words) {
      this.button.replaceChildren(icon(this.playing ? STOP : PLAY));
      this.button.title = words;
      this.button.setAttribute("aria-label", words);
    }
    this.button.setAttribute("aria-pressed", this.playing);
    this.speeds.value = this.speed;
    if (this.speeds.selectedIndex < 0) {
      this.speeds.append(make("option", { value: this.speed }, `${this.speed} fps`));
      this.speeds.value = this.speed;
    }
    Object.assign(this.viewer.el.dataset, { playing: this.playing, speed: this.speed });
  }

  close() {
    this.stop();
    document.removeEventListener("visibilitychange", this.hide);
  }
}
