// A range: a small histogram to draw over, and both ends to type.
import { make } from "./elements.js";

export class Ranges {
  constructor(say) {
    this.say = say;
  }

  draw({ keyword, words, kind, unit, ends, bars, none }) {
    const type = kind === "dates" ? { type: "date", min: "1890-01-01", max: "9999-12-31" } : { type: "number", step: "any" };
    const end = (place, label) => {
      const input = make("input", { ...type, "aria-label": `${label} ${words.toLowerCase()}`, placeholder: kind === "dates" ? null : place ? (bars.high ?? "") : (bars.low ?? ""), "data-focus": `${keyword} ${label}` });
      input.value = ends[place];
      input.addEventListener("change", () => {
        if (!input.validity.valid) return;
        const now = [...ends];
        now[place] = input.value;
        this.say(keyword, ...now);
      });
      return make("label", {}, make("span", {}, label), input);
    };
    const from = end(0, "From");
    const to = end(1, kind === "dates" ? "Until" : "To");
    const without = none ? make("p", { class: "without" }, `${none.toLocaleString("en")} without a value`) : null;
    const span = bars.counts ? make("p", { class: "span", "aria-hidden": "true" }, make("span", {}, bars.low), unit ? make("span", {}, unit) : null, make("span", {}, bars.high)) : null;
    return make("div", { class: "body range" }, bars.counts?.length > 1 ? this.histogram(keyword, words, ends, bars, kind) : null, span, make("div", { class: "ends" }, from, to), without);
  }

  histogram(keyword, words, ends, { edges, counts }, kind) {
    const most = Math.max(...counts);
    const place = (text) => (kind === "dates" ? Date.parse(text) : Number(text));
    const within = (number) => (!ends[0] || place(edges[number + 1]) > place(ends[0])) && (!ends[1] || place(edges[number]) <= place(ends[1]));
    const bar = (count, number) => make("i", { class: within(number) ? "in" : "", style: `--high: ${count ? Math.max(4, (100 * count) / most) : 0}%`, title: `${edges[number]} – ${edges[number + 1]}: ${count.toLocaleString("en")}` });
    const drawn = make("div", { class: "bars", role: "img", "aria-label": `Distribution of ${words.toLowerCase()}` }, counts.map(bar));
    this.brush(drawn, (low, high) => this.say(keyword, edges[low], this.last(kind, edges[high + 1])));
    return drawn;
  }

  // The last value of a bar: dates end the day before the next bar begins.
  last(kind, edge) {
    return kind === "dates" ? new Date(Date.parse(edge) - 86400000).toISOString().slice(0, 10) : edge;
  }

  brush(drawn, done) {
    const at = (event) => {
      const box = drawn.getBoundingClientRect();
      const share = (event.clientX - box.left) / box.width;
      return Math.min(Math.max(Math.floor(share * drawn.children.length), 0), drawn.children.length - 1);
    };
    let start = null;
    const show = (event) => {
      const [low, high] = [start, at(event)].sort((a, b) => a - b);
      [...drawn.children].forEach((bar, number) => bar.classList.toggle("in", number >= low && number <= high));
      return [low, high];
    };
    drawn.addEventListener("pointerdown", (event) => {
      drawn.setPointerCapture(event.pointerId);
      start = at(event);
      show(event);
    });
    drawn.addEventListener("pointermove", (event) => start !== null && show(event));
    drawn.addEventListener("pointerup", (event) => {
      if (start === null) return;
      const [low, high] = show(event);
      start = null;
      done(low, high);
    });
    drawn.addEventListener("pointercancel", () => (start = null));
  }
}
