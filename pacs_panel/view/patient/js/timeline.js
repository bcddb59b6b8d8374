// Studies along time: a lane for each modality, a mark for each study in it, the time between in words.
import { button, make } from "./elements.js";

const SVG = "http://www.w3.org/2000/svg";
const LANE = 24;
const AXIS = 26;
const LEFT = 92; // px for the names of the lanes
const RIGHT = 18;
const NEAR = 11; // px below which marks become one
const DAY = 86400000;
const EPOCH = 719163; // ordinal of 1970-01-01, counted from the year 1
const OBJECTS = new Set(["SEG", "SR", "RTSTRUCT", "RTPLAN", "RTDOSE", "RTRECORD", "PR", "KO", "REG", "RWV", "DOC", "FID"]);
// Days between two lines of the axis, and the calendar's unit that they follow.
const STEPS = [[1, "day", 1], [7, "day", 7], [31, "month", 1], [92, "month", 3], [366, "year", 1], [731, "year", 2], [1827, "year", 5], [3653, "year", 10], [7305, "year", 20]];

export class Timeline {
  constructor(go) {
    this.go = go;
    this.range = null;
    this.width = 0;
    this.svg = svg("svg", { role: "group", "aria-label": "Studies over time" });
    this.tip = make("p", { class: "tip", "aria-hidden": "true", hidden: true });
    const zoom = (words, label, by) => button(words, () => this.zoom(by), { class: "plain", "aria-label": label });
    this.all = button("All", () => this.show(null), { class: "plain" });
    this.tools = make("div", { class: "tools" }, zoom("−", "Zoom out", 2), zoom("+", "Zoom in", 0.5), this.all);
    this.undated = make("div", { class: "undated" });
    this.el = make("section", { class: "timeline", "aria-label": "Timeline" }, make("div", { class: "head" }, make("h2", { class: "small" }, "Timeline"), this.undated, this.tools), this.svg, this.tip);
    this.el.addEventListener("keydown", (event) => this.keyed(event));
    this.svg.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    this.svg.addEventListener("pointerdown", (event) => this.drag(event));
    this.observer = new ResizeObserver(([{ contentRect }]) => {
      if (Math.abs(contentRect.width - this.width) < 1) return;
      this.width = contentRect.width;
      this.draw();
    });
    this.observer.observe(this.el);
  }

  update(studies) {
    this.studies = studies.filter(({ day }) => day !== null && day !== undefined).sort((a, b) => a.day - b.day || a.time.localeCompare(b.time));
    this.lanes = [...new Set(this.studies.flatMap(({ modalities }) => modalities.map(([name]) => name)))].sort((a, b) => OBJECTS.has(a) - OBJECTS.has(b) || a.localeCompare(b));
    const without = studies.filter(({ day }) => day === null || day === undefined);
    const words = without.length === 1 ? "1 study without a date" : `${without.length} studies without a date`;
    this.undated.replaceChildren(...(without.length ? [button(words, () => this.go(without[0].key), { class: "link" })] : []));
    this.el.hidden = !this.studies.length;
    this.draw();
  }

  // -- time and place

  get whole() {
    const [first, last] = [this.studies[0].day, this.studies.at(-1).day];
    const pad = Math.max((last - first) * 0.03, 20);
    return [first - pad, last + pad];
  }

  get shown() {
    return this.range ?? this.whole;
  }

  x(day) {
    const [from, to] = this.shown;
    return LEFT + ((day - from) / (to - from)) * (this.width - LEFT - RIGHT);
  }

  show(range) {
    this.range = range && this.within(range);
    this.draw();
  }

  within([from, to]) {
    const [first, last] = this.whole;
    const span = Math.min(Math.max(to - from, 4), last - first);
    const start = Math.min(Math.max(from, first), last - span);
    return span >= last - first ? null : [start, start + span];
  }

  zoom(by, at = 0.5) {
    const [from, to] = this.shown;
    const middle = from + (to - from) * at;
    this.show([middle - (middle - from) * by, middle + (to - middle) * by]);
  }

  wheel(event) {
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    const { left } = this.svg.getBoundingClientRect();
    this.zoom(Math.exp(event.deltaY / 300), Math.min(Math.max((event.clientX - left - LEFT) / (this.width - LEFT - RIGHT), 0), 1));
  }

  drag(event) {
    if (!this.range || event.button !== 0 || event.target.closest(".mark")) return;
    const [[from, to], start] = [this.shown, event.clientX];
    const perPx = (to - from) / (this.width - LEFT - RIGHT);
    const move = ({ clientX }) => this.show([from - (clientX - start) * perPx, to - (clientX - start) * perPx]);
    this.svg.setPointerCapture(event.pointerId);
    this.svg.addEventListener("pointermove", move);
    this.svg.addEventListener("pointerup", () => this.svg.removeEventListener("pointermove", move), { once: true });
  }

  keyed(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const marks = [...this.svg.querySelectorAll(".mark")];
    const at = marks.indexOf(this.el.getRootNode().activeElement);
    const step = { ArrowLeft: -1, ArrowRight: 1, Home: -1e9, End: 1e9 }[event.key];
    if (step && at >= 0) marks[Math.min(Math.max(at + step, 0), marks.length - 1)].focus();
    else if (event.key === "+" || event.key === "=") this.zoom(0.5);
    else if (event.key === "-") this.zoom(2);
    else if (event.key === "0") this.show(null);
    else return;
    event.preventDefault();
  }

  // -- drawing

  draw() {
    if (!this.width || !this.studies?.length) return;
    const held = this.el.getRootNode().activeElement?.dataset?.study;
    const bottom = this.lanes.length * LANE + 8;
    const height = bottom + AXIS + 22;
    this.svg.setAttribute("viewBox", `0 0 ${this.width} ${height}`);
    this.svg.setAttribute("height", height);
    const clip = svg("clipPath", { id: "within" }, svg("rect", { x: LEFT - 8, y: 0, width: Math.max(this.width - LEFT + 8, 0), height }));
    const groups = this.grouped();
    this.svg.replaceChildren(
      clip,
      ...this.lanes.map((name, n) => this.lane(name, n)),
      svg("g", { "clip-path": "url(#within)" }, ...this.axis(bottom), ...this.gaps(groups, bottom + AXIS + 12), ...groups.map((group) => this.mark(group, bottom))),
    );
    this.all.disabled = !this.range;
    this.tip.hidden = true;
    if (held) this.svg.querySelector(`.mark[data-study="${CSS.escape(held)}"]`)?.focus({ preventScroll: true });
  }

  y(name) {
    return this.lanes.indexOf(name) * LANE + LANE / 2 + 4;
  }

  lane(name) {
    const y = this.y(name);
    return svg("g", { class: "lane" }, svg("text", { x: 0, y: y + 4 }, name), svg("line", { x1: LEFT, x2: this.width, y1: y, y2: y }));
  }

  axis(bottom) {
    const [from, to] = this.shown;
    const room = ((to - from) / (this.width - LEFT - RIGHT)) * 74; // days that a label takes
    const [, unit, by] = STEPS.find(([days]) => days >= room) ?? STEPS.at(-1);
    return starts(from, to, unit, by).flatMap(([day, words]) => {
      const x = this.x(day).toFixed(1);
      const line = svg("line", { class: "tick", x1: x, x2: x, y1: 0, y2: bottom });
      const whole = x > LEFT + words.length * 3 - 8 && x < this.width - words.length * 3;
      return whole ? [line, svg("text", { class: "when", x, y: bottom + 16, "text-anchor": "middle" }, words)] : [line];
    });
  }

  // Studies whose marks would touch stand together.
  grouped() {
    const [from, to] = this.shown;
    const groups = [];
    for (const study of this.studies.filter(({ day }) => day >= from && day <= to)) {
      const last = groups.at(-1);
      if (last && this.x(study.day) - this.x(last.at(-1).day) < NEAR) last.push(study);
      else groups.push([study]);
    }
    return groups;
  }

  mark(group, bottom) {
    const x = (this.x(group[0].day) + this.x(group.at(-1).day)) / 2;
    const names = [...new Set(group.flatMap(({ modalities }) => modalities.map(([name]) => name)))];
    const ys = names.map((name) => this.y(name));
    const words = wordsOf(group);
    const dots = names.map((name) => svg("circle", { class: OBJECTS.has(name) ? "object" : "image", cx: x, cy: this.y(name), r: group.length > 1 ? 7 : 5.5 }));
    const count = group.length > 1 ? [svg("text", { class: "count", x, y: Math.min(...ys) + 3.5, "text-anchor": "middle" }, group.length)] : [];
    const mark = svg(
      "g",
      { class: "mark", tabindex: 0, role: "button", "aria-label": words, "data-study": group[0].key, "data-count": group.length },
      svg("rect", { class: "hit", x: x - 9, width: 18, y: 0, height: bottom }),
      svg("line", { class: "stem", x1: x, x2: x, y1: Math.min(...ys), y2: bottom }),
      ...dots,
      ...count,
    );
    mark.addEventListener("click", () => this.open(group));
    mark.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      this.open(group);
    });
    for (const on of ["pointerenter", "focus"]) mark.addEventListener(on, () => this.hint(words, x));
    for (const off of ["pointerleave", "blur"]) mark.addEventListener(off, () => (this.tip.hidden = true));
    return mark;
  }

  // A single study is gone to; several are drawn apart, if time does that.
  open(group) {
    const span = group.at(-1).day - group[0].day;
    if (span > 0) this.show([group[0].day - span, group.at(-1).day + span]);
    else this.go(group[0].key);
  }

  hint(words, x) {
    this.tip.textContent = words;
    this.tip.hidden = false;
    const half = this.tip.offsetWidth / 2;
    this.tip.style.left = `${Math.min(Math.max(x, half), this.width - half)}px`;
  }

  gaps(groups, y) {
    return groups.slice(1).flatMap((group, n) => {
      const [from, to] = [groups[n].at(-1).day, group[0].day];
      const [left, right] = [this.x(from), this.x(to)];
      const words = between(from, to);
      if (right - left < words.length * 6.2 + 26) return [];
      const [middle, half] = [(left + right) / 2, words.length * 3.1 + 6];
      return [
        svg("path", { class: "gap", d: `M${left + 3} ${y}H${middle - half}M${middle + half} ${y}H${right - 3}M${left + 3} ${y - 3}v6M${right - 3} ${y - 3}v6` }),
        svg("text", { class: "between", x: middle, y: y + 4, "text-anchor": "middle" }, words),
      ];
    });
  }

  close() {
    this.observer.disconnect();
  }
}

function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

export function dateOf(day) {
  return new Date((day - EPOCH) * DAY);
}

function ordinalOf(year, month, date = 1) {
  const made = new Date(Date.UTC(2000, month, date));
  made.setUTCFullYear(year + (made.getUTCFullYear() - 2000));
  return Math.round(made.getTime() / DAY) + EPOCH;
}

// Where units of the calendar begin, with what stands there.
function starts(from, to, unit, by) {
  const first = dateOf(from);
  const found = [];
  for (let n = 0; found.length < 200; n += 1) {
    const day = unit === "day" ? Math.ceil(from) + n * by : unit === "month" ? ordinalOf(first.getUTCFullYear(), Math.floor(first.getUTCMonth() / by) * by + n * by) : ordinalOf(Math.floor(first.getUTCFullYear() / by) * by + n * by, 0);
    if (day > to) break;
    if (day >= from) found.push([day, dateOf(day).toISOString().slice(0, { day: 10, month: 7, year: 4 }[unit])]);
  }
  return found;
}

// The time between two days as people say it: 12 days, 5 months, 2 years 3 months.
export function between(from, to) {
  const days = to - from;
  const said = (number, one) => `${number} ${one}${number === 1 ? "" : "s"}`;
  if (days < 60) return said(days, "day");
  const [a, b] = [dateOf(from), dateOf(to)];
  const months = (b.getUTCFullYear() - a.getUTCFullYear()) * 12 + b.getUTCMonth() - a.getUTCMonth() - (b.getUTCDate() < a.getUTCDate() ? 1 : 0);
  if (months < 12) return said(months, "month");
  const [years, rest] = [Math.floor(months / 12), months % 12];
  return rest ? `${said(years, "year")} ${said(rest, "month")}` : said(years, "year");
}

function wordsOf(group) {
  const [first, last] = [group[0], group.at(-1)];
  if (group.length > 1) return `${group.length} studies, ${first.date}${first.date === last.date ? "" : ` to ${last.date}`}`;
  const modalities = first.modalities.map(([name]) => name).join(", ");
  return [first.date, modalities, first.title].filter(Boolean).join(" · ");
}
