// One row: a series, or a study that unfolds to its series.
import { button, make, picture } from "./elements.js";

export function drawRow(table, row, columns, inner = false) {
  const cells = columns.map(({ name, number }) => make("td", { class: `${name}${number ? " number" : ""}` }, drawCell(table, row, name)));
  const drawn = make("tr", { "data-key": row.key, "data-level": row.level, class: inner ? "inner" : null }, make("td", { class: "pick" }, pickBox(table, row)), cells);
  mark(drawn, table.selection.has(row));
  drawn.addEventListener("click", (event) => {
    const path = event.composedPath();
    const marking = table.el.getRootNode().getSelection?.().toString() || document.getSelection().toString();
    if (marking || path.some((one) => ["A", "BUTTON", "INPUT", "LABEL"].includes(one.tagName))) return;
    if (event.ctrlKey || event.metaKey) window.open(row.href ?? "", "_blank", "noopener");
    else table.open(row);
  });
  return drawn;
}

export function mark(drawn, on) {
  drawn.classList.toggle("picked", on);
  const box = drawn.querySelector("input.pick");
  if (box) box.checked = on;
}

function pickBox(table, row) {
  const box = make("input", { type: "checkbox", class: "pick", "aria-label": `Select ${row.title || "this"} ${row.cells.date ?? ""}`.trim(), "data-focus": `pick ${row.key}` });
  box.addEventListener("click", (event) => table.pick(row, box.checked, event.shiftKey));
  return make("label", {}, box);
}

function drawCell(table, row, name) {
  const cell = row.cells[name];
  if (name === "image") return picture(row, 48);
  if (name === "patient") return drawPatient(row);
  if (name === "description") return [make("div", { class: "main" }, make("a", { href: row.href, "data-focus": row.key, class: "opens" }, row.title || "No description")), make("div", { class: "sub" }, row.kind)];
  if (name === "state") return make("span", { class: "badge", "data-state": row.state, title: row.kind }, row.words);
  if (name === "study" && row.level === "study") return drawStudy(table, row);
  if (name === "Tags" && cell) return make("span", { class: "tags" }, cell.split(", ").map((tag) => make("span", { class: "tag" }, tag)));
  return cell ?? make("span", { class: "nothing", "aria-label": "none" }, "–");
}

function drawStudy(table, row) {
  const open = table.unfolded.has(row.key);
  const turn = button("", () => table.unfold(row), { class: "opens unfold", "aria-expanded": String(open), "data-focus": row.key });
  turn.append(make("span", { class: "twist", "aria-hidden": "true" }), make("span", { class: "main" }, row.title || "No description"));
  return turn;
}

function drawPatient({ name, id, patient }) {
  const words = name || "No name";
  return [make("div", { class: "main" }, patient ? make("a", { href: patient, class: "patientlink" }, words) : words), make("div", { class: "sub" }, id || "no ID")];
}

// The series of a study, below it.
export function drawBelow(table, row, width) {
  const found = table.model.below[row.key];
  const across = (...words) => make("tr", { class: "inner note" }, make("td", {}), make("td", { colspan: width }, ...words));
  if (!found) return [across("Reading…")];
  if (found.error) return [across(make("span", { role: "alert" }, found.error))];
  const rows = found.rows.map((one) => drawInner(table, one, width));
  const all = Number((row.cells.series ?? "0").replaceAll(",", ""));
  if (all > rows.length) rows.push(across(`${(all - rows.length).toLocaleString("en")} more series of this study ${found.more ? "are not listed here" : "do not match the filters"}.`));
  return rows;
}

function drawInner(table, row, width) {
  const facts = [row.modality, row.cells.part, row.cells.images === "1" ? "1 image" : `${row.cells.images} images`].filter(Boolean).join(" · ");
  const line = make(
    "div",
    { class: "member" },
    picture(row, 48),
    make("div", { class: "what" }, make("a", { href: row.href, class: "opens main", "data-focus": row.key }, row.title || "No description"), make("div", { class: "sub" }, [row.kind, facts].filter(Boolean).join(" · "))),
    make("span", { class: "badge", "data-state": row.state, title: row.kind }, row.words),
  );
  const drawn = make("tr", { "data-key": row.key, "data-level": "series", class: "inner" }, make("td", { class: "pick" }, pickBox(table, row)), make("td", { colspan: width }, line));
  mark(drawn, table.selection.has(row));
  return drawn;
}
