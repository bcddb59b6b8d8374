// What can be done with what is picked: a bar of its own, and what came of it in words.
import { button, make, redraw } from "./elements.js";

const FORMATS = [
  ["zip?format=dicom", "DICOM", "as received, in one zip"],
  ["zip?format=nifti", "NIfTI", "volumes with sidecars, in one zip"],
  ["zip?format=zarr", "OME-Zarr", "volumes, in one zip"],
  ["csv", "Table, CSV", "one line a series"],
  ["parquet", "Table, Parquet", "one row a series"],
];
const MOST_COMPARED = 6;
const SAID = 7000; // ms for which success is told

export class Actions {
  constructor(model, selection, dialog) {
    this.model = model;
    this.selection = selection;
    this.dialog = dialog;
    this.number = 0;
    this.said = make("div", { class: "said", role: "status" });
    this.bar = make("div", { class: "acts", role: "group", "aria-label": "With the selection" });
    this.el = make("div", { class: "below" }, this.said, this.bar);
    model.on("answer", () => this.answered());
    model.on("total", () => this.draw());
  }

  draw() {
    const { selection, model } = this;
    this.bar.hidden = selection.empty;
    if (selection.empty) return redraw(this.bar);
    const { can } = model;
    const only = selection.all || selection.study.size ? 0 : selection.series.size;
    const act = (words, does, able = true, title = null) => button(words, does, { class: "act", disabled: !able, title, "data-focus": `act ${words}` });
    const comparable = only >= 2 && only <= MOST_COMPARED;
    redraw(
      this.bar,
      make("span", { class: "much" }, this.words()),
      this.offersAll() ? button(`Select all ${model.total.toLocaleString("en")} that match`, () => selection.pickAll(), { class: "all", "data-focus": "act all" }) : null,
      make("span", { class: "gap" }),
      act("Open", () => this.open(), only === 1, only === 1 ? null : "Select one series"),
      can.compare ? act("Compare", () => this.compare(), comparable, comparable ? null : `Select 2 to ${MOST_COMPARED} series`) : null,
      can.charts ? act("Charts", () => this.charts()) : null,
      can.hand ? act("Download…", () => this.download()) : null,
      can.organise ? act("Tag…", () => this.tag()) : null,
      can.organise ? act("Collect…", () => this.collect()) : null,
      can.organise ? act("Freeze…", () => this.freeze()) : null,
      button("Clear", () => selection.clear(), { class: "act clearing", "data-focus": "act Clear" }),
    );
  }

  words() {
    const { selection, model } = this;
    const number = (count, one, several) => `${count.toLocaleString("en")} ${count === 1 ? one : several}`;
    if (selection.all) return typeof model.total === "number" ? `All ${number(model.total, ...(model.shown.level === "study" ? ["study", "studies"] : ["series", "series"]))} selected` : "All selected";
    const parts = [selection.study.size && number(selection.study.size, "study", "studies"), selection.series.size && number(selection.series.size, "series", "series")];
    return `${parts.filter(Boolean).join(", ")} selected`;
  }

  offersAll() {
    const { selection, model } = this;
    return !selection.all && typeof model.total === "number" && model.total > selection.size;
  }

  send(action, more = {}) {
    this.number += 1;
    this.model.send_msg({ kind: "act", id: this.number, action, ...this.selection.said(), ...more });
  }

  open() {
    location.assign(`view?series=${encodeURIComponent([...this.selection.series][0])}&stack=0`);
  }

  compare() {
    location.assign(`compare?${[...this.selection.series].map((key) => `series=${encodeURIComponent(key)}`).join("&")}`);
  }

  charts() {
    this.then = ({ query }) => location.assign(`charts?${query}`);
    this.send("hand");
  }

  download() {
    this.dialog.show("Download", make("p", { role: "status" }, "Preparing…"), this.dialog.foot());
    this.then = ({ token, count }) => this.dialog.show("Download", ...this.ways(token, count), this.dialog.foot());
    this.send("hand");
  }

  ways(token, count) {
    const link = ([end, words, more]) => {
      const way = make("a", { href: `download/${token}.${end}`, download: "", class: "way" }, make("b", {}, words), make("span", {}, more));
      way.addEventListener("click", () => setTimeout(() => this.dialog.close(), 0));
      return make("li", {}, way);
    };
    return [make("p", {}, `${count.toLocaleString("en")} series. Streamed: it begins at once, whatever the size.`), make("ul", { class: "ways" }, FORMATS.map(link))];
  }

  tag() {
    this.ask("tag", "tags", { title: "Tag", words: `${this.words()}.`, does: "Tag", label: "Tag" });
  }

  collect() {
    const tick = this.selection.all ? "Keep as a rule: what matches later belongs to it, too" : null;
    this.ask("collect", "collections", { title: "Collect", words: `${this.words()}.`, does: "Collect", label: "Collection", tick });
  }

  freeze() {
    this.ask("freeze", null, { title: "Freeze as a cohort", words: `${this.words()}. A cohort stays as it is now, with the revisions of its series, whatever arrives later.`, does: "Freeze", label: "Name" });
  }

  save() {
    this.ask("save", "searches", { title: "Save this search", words: "What is asked is kept, not what it finds: choose it again at the top of the filters.", does: "Save", label: "Name" });
  }

  ask(action, names, about) {
    this.then = (answer) => {
      this.dialog.busy(false);
      this.dialog.close();
      this.tell(answer);
    };
    this.dialog.ask(about, (name, rule) => this.send(action, { name, rule }));
    if (names) this.offer(names);
  }

  offer(which) {
    this.offered = (answer) => this.dialog.offer?.(answer[which] ?? []);
    this.model.send_msg({ kind: "act", id: 0, action: "names" });
  }

  answered() {
    const { answer } = this.model;
    if (answer.action === "names") return answer.error ? null : this.offered?.(answer);
    if (answer.id !== this.number) return null;
    if (answer.error) return this.dialog.fail(answer.error, answer.hint);
    return this.then?.(answer);
  }

  tell({ words, link }) {
    const way = link && this.model.can[link[0]] ? make("a", { href: link[0] }, link[1]) : null;
    clearTimeout(this.timer);
    redraw(this.said, make("p", {}, words, " ", way));
    this.timer = setTimeout(() => redraw(this.said), SAID);
  }
}
