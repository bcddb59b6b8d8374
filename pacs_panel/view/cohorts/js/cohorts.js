// Cohorts: a list of them; or one, with what it holds, what is gone, and what changed since it was frozen.
import { button, make, many, redraw } from "./elements.js";

const CHANGES = { added: "Found now, and not in the cohort", removed: "In the cohort, and not found now", changed: "In both, and not the same" };

class Cohorts {
  constructor(model) {
    this.model = model;
    this.el = make("div", { class: "cohorts" });
    this.update();
  }

  update() {
    const { state } = this.model.shown;
    const drawn = { list: () => this.list(), cohort: () => this.cohort() }[state] ?? (() => this.none());
    redraw(this.el, ...drawn());
  }

  say(kind, more = {}) {
    this.model.send_msg({ kind, ...more });
  }

  none() {
    const { title = "Loading…", words = "" } = this.model.shown;
    return [make("div", { class: "empty", role: "status" }, make("h2", {}, title), make("p", {}, words), make("a", { href: "cohorts" }, "All cohorts"))];
  }

  // -- the list

  list() {
    const { cohorts, how } = this.model.shown;
    const top = make("header", {}, make("a", { class: "back", href: "browse" }, "← Browse"), make("h1", {}, many(cohorts.length, "cohort")));
    if (cohorts.length) return [top, this.table(["Cohort", "Criteria", "Series", "Objects", "Frozen", "Content hash"], cohorts.map((each) => this.listed(each)), "all")];
    const words = "A cohort keeps a selection for good: every series, its revision and the digest of every object, under one name and one hash.";
    return [top, make("div", { class: "empty" }, make("h2", {}, "No cohorts yet"), make("p", {}, words), make("p", {}, "Choose series in Browse and press Freeze; or at the command line"), make("code", {}, how), make("p", { class: "or" }, "or in a notebook"), make("code", {}, 'archive.search(Modality="CT").freeze("name")'))];
  }

  listed({ name, href, level, criteria, series, objects, frozen, by, hash }) {
    const asked = make("div", {}, criteria.map((words) => make("div", {}, words)), make("div", { class: "sub" }, `level ${level}`));
    return [make("a", { href, "data-focus": name }, name), asked, number(series), number(objects), [make("div", {}, frozen), make("div", { class: "sub" }, `by ${by}`)], this.hash(hash, 12)];
  }

  hash(hash, length = hash.length) {
    return make("span", { class: "hash", title: `SHA-256 ${hash}` }, hash.slice(0, length), length < hash.length ? "…" : "");
  }

  table(columns, rows, which) {
    const right = new Set(["Series", "Objects", "Size"]);
    const cell = (tag, content, n) => make(tag, { class: right.has(columns[n]) ? "number" : columns[n].toLowerCase().replaceAll(" ", "-"), scope: tag === "th" && "col" }, content);
    const head = make("thead", {}, make("tr", {}, columns.map((words, n) => cell("th", words, n))));
    const body = make("tbody", {}, rows.map((row) => make("tr", {}, row.map((content, n) => cell("td", content, n)))));
    return make("div", { class: "wide", tabindex: 0, role: "region", "aria-label": which === "all" ? "Cohorts" : "Series of the cohort" }, make("table", { class: which }, head, body));
  }

  // -- one cohort

  cohort() {
    const { facts, trouble, stale } = this.model.shown;
    const news = stale && make("p", { class: "stale", role: "status" }, "The archive has changed since this was read. ", button("Read again", () => this.say("again"), { class: "link", "data-focus": "again" }));
    return [
      make("header", {}, make("a", { class: "back", href: "cohorts" }, "← All cohorts"), make("h1", {}, facts.name)),
      news || null,
      trouble ? make("p", { class: "trouble", role: "alert" }, trouble) : null,
      make("div", { class: "cards" }, this.facts(facts), this.since(), this.checked(), this.out()),
      this.rows(),
    ];
  }

  card(title, name, ...content) {
    return make("section", { class: "card", "data-card": name }, make("h2", {}, title), content);
  }

  facts({ criteria, level, series, objects, frozen, by, change, hash }) {
    const { withheld, gone } = this.model.shown;
    const pairs = [
      ["Chosen by", criteria.map((words) => make("div", {}, words))],
      ["Level", level],
      ["Holds", `${many(series, "series", "series")}, ${many(objects, "object")}`],
      ["Frozen", `${frozen} by ${by}, at change ${change}`],
      ["Content hash", this.hash(hash)],
    ];
    if (withheld) pairs.push(["Withheld", `${many(withheld, "series", "series")} that you may not see, or that are gone`]);
    if (gone) pairs.push(["Gone", make("span", { class: "bad" }, `${many(gone, "series is", "series are")} not as frozen`)]);
    return this.card("What it is", "facts", make("dl", {}, pairs.flatMap(([what, how]) => [make("dt", {}, what), make("dd", {}, how)])));
  }

  since() {
    const { diff } = this.model.shown;
    const again = button("Compare again", () => this.say("diff"), { class: "plain", "data-focus": "diff", disabled: !diff || Boolean(diff.running) });
    return this.card("Since then", "diff", make("div", { role: "status" }, this.difference(diff)), again);
  }

  difference(diff) {
    if (!diff || diff.running) return make("p", { class: "quiet" }, "Asking what the criteria find now…");
    if (diff.trouble) return make("p", { class: "quiet" }, diff.trouble);
    if (diff.same) return make("p", { class: "good" }, "No difference: the criteria find the very same now.");
    const parts = diff.parts.filter(({ count }) => count);
    return parts.map(({ name, count, series }) => {
      const items = series.map(({ uid, href, words }) => make("li", {}, href ? make("a", { href, class: "uid" }, uid) : make("span", { class: "uid" }, uid), make("span", { class: "sub" }, words)));
      const rest = count > series.length && make("li", { class: "sub" }, `and ${number(count - series.length)} more`);
      return make("details", {}, make("summary", { "data-focus": `diff ${name}` }, make("b", {}, `${number(count)} ${name}`), ` ${CHANGES[name]}`), make("ul", {}, items, rest));
    });
  }

  checked() {
    const { verify, facts } = this.model.shown;
    const begin = button(verify && !verify.running ? "Verify again" : "Verify", () => this.say("verify"), { class: "plain", disabled: verify?.running ?? false, "data-focus": "verify" });
    return this.card("Integrity", "verify", make("div", { role: "status" }, this.verified(verify, facts)), begin);
  }

  verified(verify, { objects }) {
    if (!verify) return make("p", { class: "quiet" }, "Reads every object again, and compares it with the digest that was frozen.");
    if (verify.running) return [make("progress", { max: objects, value: verify.done, "aria-label": "Objects read" }), make("p", { class: "quiet" }, `${number(verify.done)} of ${many(objects, "object")} read`)];
    if (verify.trouble) return make("p", { class: "bad" }, verify.trouble);
    const read = `${many(verify.objects, "object")}, ${bytes(verify.size)} read`;
    if (verify.clean) return make("p", { class: "good" }, `All is as it was frozen: ${read}.`);
    const rest = verify.more > 0 && make("li", { class: "sub" }, `and ${number(verify.more)} more`);
    return [make("p", { class: "bad" }, `Not as frozen: ${read}.`), make("ul", {}, verify.told.map((words) => make("li", {}, words)), rest)];
  }

  out() {
    const { links = [], tables = [], commands = [] } = this.model.shown;
    const row = (title, found, more) => found.length > 0 && make("div", { class: "out" }, make("h3", {}, title), make("p", {}, found.map(([words, href]) => make("a", { href, ...more }, words))));
    const lines = make("div", { class: "out" }, make("h3", {}, "Export on the command line"), make("dl", { class: "commands" }, commands.flatMap(([line, words]) => [make("dt", {}, make("code", {}, line)), make("dd", {}, words)])));
    return this.card("Take it out", "out", row("List of what it holds, as frozen", tables, { download: "" }), row("The same series as they are now", links, {}), lines);
  }

  rows() {
    const { rows, trouble } = this.model.shown;
    if (!rows) return trouble ? null : make("p", { class: "quiet reading", role: "status" }, "Reading its series…");
    const drawn = rows.map((row) => {
      const title = row.href ? make("a", { href: row.href, "data-focus": row.key }, row.description || "No description") : make("span", {}, row.description || "–");
      const sub = make("div", { class: "sub uid" }, row.uid);
      const gone = row.gone ? make("span", { class: "bad" }, row.gone) : make("span", { class: "sub" }, "here");
      const patient = row.here ? [make("div", {}, row.name || "No name"), make("div", { class: "sub" }, row.id || "no ID")] : "–";
      return [patient, row.date || "–", row.modality || "–", [title, sub], number(row.objects), bytes(row.size), make("span", { class: "hash" }, row.revision), gone];
    });
    return make("section", {}, this.table(["Patient", "Study date", "Modality", "Description", "Objects", "Size", "Revision", "Now"], drawn, "rows"), this.foot());
  }

  foot() {
    const { first, rows, total } = this.model.shown;
    const last = first + rows.length - 1;
    const turn = (words, by, able) => button(words, () => this.say("page", { by }), { class: "plain", disabled: !able, "data-focus": words });
    return make("nav", { class: "pages", "aria-label": "Pages of series" }, make("span", { class: "quiet" }, `${number(first)}–${number(last)} of ${number(total)}`), turn("Previous", -1, first > 1), turn("Next", 1, last < total));
  }
}

function number(value) {
  return value.toLocaleString("en");
}

function bytes(size) {
  const [unit, by] = [["GB", 1e9], ["MB", 1e6], ["kB", 1e3]].find(([, least]) => size >= least) ?? ["bytes", 1];
  return `${by === 1 ? size : (size / by).toFixed(1)} ${unit}`;
}

export function render({ model }) {
  const cohorts = new Cohorts(model);
  model.on("shown", () => cohorts.update());
  return cohorts.el;
}
