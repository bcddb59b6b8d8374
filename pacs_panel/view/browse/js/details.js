// A series in words: who and what, where its voxels are, and its header.
import { make, many, redraw } from "./elements.js";

class Details {
  constructor(model) {
    this.model = model;
    this.wanted = "";
    this.el = make("div", { class: "details" });
    this.filter = make("input", { type: "search", placeholder: "Tag, keyword or value", "aria-label": "Filter the header", autocomplete: "off", spellcheck: "false" });
    this.filter.addEventListener("input", () => this.list());
    this.rows = make("div", { class: "rows" });
    this.update();
  }

  update() {
    const { title, who, patient, facts, passport, corrected, document: told, partners, stacks, header, back } = this.model.shown;
    const link = make("a", { class: "back", href: back || "browse" }, "← Browse");
    link.addEventListener("click", (event) => {
      if (document.referrer.startsWith(`${location.origin}/browse`) && history.length > 1 && !event.ctrlKey && !event.metaKey) {
        event.preventDefault();
        history.back();
      }
    });
    const name = who && make("p", { class: "who" }, make("b", {}, patient ? make("a", { href: patient, title: "All of this patient" }, who[0] || "No name") : who[0] || "No name"), make("span", {}, who[1] || "no ID"));
    redraw(
      this.el,
      link,
      title ? make("h2", {}, title) : null,
      name,
      stacks?.length > 1 ? this.chooser(stacks) : null,
      this.section("Series", facts),
      this.section("Corrected", corrected),
      this.section("Volume", passport),
      this.section("Document", told),
      this.partners("Refers to", partners?.to),
      this.partners("Referred to by", partners?.by),
      header === undefined ? null : this.header(header),
    );
    this.list();
  }

  chooser(stacks) {
    const choice = make("select", { "aria-label": this.model.shown.stacks_are ?? "stack", "data-focus": "stack" }, stacks.map(({ words, href, chosen }) => make("option", { value: href, selected: chosen }, words)));
    choice.addEventListener("change", () => location.assign(choice.value));
    return make("label", { class: "stacks" }, make("span", {}, `${many(stacks.length, this.model.shown.stacks_are ?? "stack")} in this series`), choice);
  }

  section(words, pairs) {
    if (!pairs?.length) return null;
    const list = make("dl", {}, pairs.flatMap(([what, how]) => [make("dt", {}, what), make("dd", {}, how)]));
    return make("details", { open: true }, make("summary", {}, words), list);
  }

  partners(words, found) {
    if (!found?.length) return null;
    const lines = found.map(({ words: name, more, href }) => make("li", { class: href ? "" : "missing" }, href ? make("a", { href }, name) : make("b", {}, name), more && make("span", {}, more)));
    return make("details", { open: true }, make("summary", {}, words), make("ul", {}, lines));
  }

  header(header) {
    const body = header === null ? make("p", { class: "quiet" }, "Reading…") : header.error ? make("p", { class: "quiet" }, header.error) : make("div", {}, this.filter, this.rows);
    return make("details", { open: true, class: "header" }, make("summary", {}, "Header, as received"), body);
  }

  list() {
    const rows = this.model.shown.header?.rows ?? [];
    const wanted = this.filter.value.trim().toLowerCase();
    const found = rows.filter((row) => !wanted || row.slice(0, 4).join(" ").toLowerCase().includes(wanted));
    const drawn = found.map(([tag, keyword, vr, value, depth]) =>
      make("div", { class: "row", style: `--depth: ${Math.min(depth, 8)}` }, make("div", { class: "what" }, make("b", {}, keyword || "private"), make("span", { class: "tag" }, `${tag} ${vr}`)), make("div", { class: "value" }, value || "–")),
    );
    this.rows.replaceChildren(...(drawn.length ? drawn : [make("p", { class: "quiet" }, "Nothing in the header matches.")]));
  }
}

export function render({ model }) {
  const details = new Details(model);
  model.on("shown", () => details.update());
  return details.el;
}
