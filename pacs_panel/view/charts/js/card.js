// A chart in its frame: its title, what is chosen in it, and its numbers as a table.
import { button, make, redraw } from "./elements.js";

class Card {
  constructor(model) {
    this.model = model;
    this.head = make("header", {});
    this.chart = make("div", { class: "chart" }, model.get_child("chart"));
    this.table = make("div", { class: "rows", hidden: true });
    this.el = make("section", { class: "frame" }, this.head, this.chart, this.table);
    this.update();
  }

  say(kind, more = {}) {
    this.model.send_msg({ kind, ...more });
  }

  update() {
    const { title, note, brushed, table, alone } = this.model.shown;
    this.el.setAttribute("aria-label", title ?? "");
    this.chart.setAttribute("role", "img");
    this.chart.setAttribute("aria-label", `Chart: ${title}. Its numbers are in the table.`);
    redraw(
      this.head,
      make("h2", {}, title ?? ""),
      make("p", { class: "note", role: "status" }, note ?? ""),
      brushed ? button("Clear", () => this.say("clear"), { class: "quiet", "data-focus": "clear", "aria-label": `Clear the choice in ${title}` }) : null,
      alone ? null : button(table ? "Chart" : "Table", () => this.say("table", { value: !table }), { class: "quiet", "data-focus": "table", "aria-label": `${title} as ${table ? "chart" : "table"}` }),
    );
    this.chart.hidden = Boolean(table);
    this.table.hidden = !table;
    redraw(this.table, table ? this.rows() : null);
  }

  rows() {
    const { title, rows, more } = this.model.shown;
    const narrowed = rows.some(({ count, whole }) => count !== whole);
    const heads = [title, "Series", ...(narrowed ? ["of all"] : [])];
    const head = make("tr", {}, heads.map((words, place) => make("th", { scope: "col", class: place ? "number" : "" }, words)));
    const body = rows.map(({ bar, label, count, whole, chosen }) =>
      make(
        "tr",
        { class: chosen ? "chosen" : "" },
        make("th", { scope: "row" }, button(label, () => this.say("toggle", { bar }), { "aria-pressed": String(chosen), "data-focus": `bar ${bar}`, title: label })),
        make("td", { class: "number" }, count.toLocaleString("en")),
        narrowed ? make("td", { class: "number faint" }, whole.toLocaleString("en")) : null,
      ),
    );
    const caption = make("caption", {}, `${title}: number of series`);
    return [
      make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": `${title}, table` }, make("table", {}, caption, make("thead", {}, head), make("tbody", {}, body))),
      make("footer", {}, make("span", {}, more ? `and ${more.toLocaleString("en")} more values` : ""), button("Download CSV", () => this.save(), { class: "quiet", "data-focus": "csv" })),
    ];
  }

  save() {
    const { title, rows } = this.model.shown;
    const lines = [[title, "series", "series of all"], ...rows.map(({ label, count, whole }) => [label, count, whole])];
    const text = lines.map((line) => line.map(cell).join(",")).join("\r\n");
    const address = URL.createObjectURL(new Blob([`\ufeff${text}\r\n`], { type: "text/csv;charset=utf-8" }));
    make("a", { href: address, download: `${title.toLowerCase().replace(/[^a-z0-9]+/g, "-")}.csv` }).click();
    setTimeout(() => URL.revokeObjectURL(address), 1000);
  }
}

// A header may say anything: what a spreadsheet would take for a formula is marked as text.
function cell(value) {
  const text = typeof value === "string" && /^[=+\-@\t\r]/.test(value) ? `'${value}` : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

export function render({ model }) {
  const card = new Card(model);
  model.on("shown", () => card.update());
  return card.el;
}
