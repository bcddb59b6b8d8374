// The keyboard: rows without a mouse.
const TYPED = new Set(["INPUT", "TEXTAREA", "SELECT"]);

export class Keys {
  constructor(table) {
    this.table = table;
    this.heard = (event) => this.hear(event);
    document.addEventListener("keydown", this.heard);
  }

  hear(event) {
    const { table } = this;
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || table.dialog.open) return;
    const path = event.composedPath();
    const from = path[0];
    const typing = (TYPED.has(from.tagName) && from.type !== "checkbox") || from.isContentEditable;
    if (typing) {
      if (event.key === "Escape" && from === table.text) this.leave(event);
      return;
    }
    if (event.key.startsWith("Arrow") && from !== document.body && !path.includes(table.sheet)) return;
    const does = this.does(event);
    if (!does) return;
    event.preventDefault();
    does();
  }

  does({ key, shiftKey }) {
    const { table } = this;
    const { first = 1, more } = table.model.shown;
    if (key === "j" || key === "ArrowDown") return () => this.move(1);
    if (key === "k" || key === "ArrowUp") return () => this.move(-1);
    if (key === "/") return () => table.text.focus();
    if (key === "?") return () => table.dialog.help();
    if (key === "n" && more) return () => table.turn(1);
    if (key === "p" && first > 1) return () => table.turn(-1);
    if (key === "Escape" && !table.selection.empty) return () => table.selection.clear();
    const row = this.row();
    if (row && (key === "x" || key === "X")) return () => table.pick(row, !table.selection.has(row), shiftKey);
    if (row?.level === "study" && (key === "ArrowRight" || key === "ArrowLeft")) return () => table.unfold(row, key === "ArrowRight");
    return null;
  }

  places() {
    return [...this.table.sheet.querySelectorAll("tr[data-key] .opens")];
  }

  // The row that has the focus.
  row() {
    const here = this.table.el.getRootNode().activeElement?.closest?.("tr[data-key]");
    return here && this.table.drawn().find(({ key, level }) => key === here.dataset.key && level === here.dataset.level);
  }

  move(by) {
    const places = this.places();
    const here = this.table.el.getRootNode().activeElement?.closest?.("tr[data-key]");
    const at = here ? places.findIndex((place) => here.contains(place)) : -1;
    const next = places[at < 0 ? 0 : Math.min(Math.max(at + by, 0), places.length - 1)];
    next?.focus({ preventScroll: true });
    next?.closest("tr").scrollIntoView({ block: "nearest" });
  }

  leave(event) {
    event.preventDefault(); // which would empty the search
    this.move(0);
    if (this.table.el.getRootNode().activeElement === this.table.text) this.table.text.blur();
  }

  end() {
    document.removeEventListener("keydown", this.heard);
  }
}
