// Sizes, rates and reports, as people say them.
import { many } from "./elements.js";

const UNITS = ["bytes", "kB", "MB", "GB", "TB"];

export function size(bytes) {
  let value = bytes;
  let unit = 0;
  for (; value >= 999.5 && unit < UNITS.length - 1; unit += 1) value /= 1000;
  return `${value.toLocaleString("en", { maximumFractionDigits: unit > 0 && value < 100 ? 1 : 0 })} ${UNITS[unit]}`;
}

export function duration(seconds) {
  if (seconds < 60) return `${Math.max(1, Math.round(seconds))} s`;
  if (seconds < 3600) return `${Math.round(seconds / 60)} min`;
  return `${Math.floor(seconds / 3600)} h ${Math.round((seconds % 3600) / 60)} min`;
}

export function gathered({ files, bytes, litter, directories }) {
  const left = [litter && many(litter, "system file"), directories && many(directories, "DICOMDIR", "DICOMDIRs")].filter(Boolean);
  const tops = new Set(files.map(({ path }) => (path.includes("/") ? path.split("/", 1)[0] : "")));
  const [top] = tops;
  const from = tops.size === 1 && top ? `${top}: ` : "";
  return { what: `${from}${many(files.length, "file")}, ${size(bytes)}`, left: left.length ? `${left.join(" and ")} left out: no images in them` : "" };
}

// What became of the files, the important first.
export function outcome(report) {
  const { accepted, series, new_versions: versions, duplicates, alternative_encodings: encodings } = report;
  const lines = [];
  if (accepted) lines.push(["good", `${many(accepted, "new object")} in ${many(series, "series", "series")}`]);
  if (versions) lines.push(["good", `${many(versions, "new version")} of objects that were here`]);
  if (duplicates) lines.push(["same", `${duplicates.toLocaleString("en")} here already`]);
  if (encodings) lines.push(["same", `${encodings.toLocaleString("en")} here already, encoded otherwise`]);
  return lines.length ? lines : [["same", "Nothing was taken in"]];
}

// Reasons, each with how many and some of them by the names that they have on this computer.
export function refusals(report, files, without) {
  const named = ({ file, member, detail }) => [[files[file]?.path ?? "a file", member].filter(Boolean).join(" › "), detail];
  const reasons = report.reasons.map(({ reason, count, examples }) => ({ reason, count, examples: examples.map(named) }));
  const local = grouped(without);
  for (const [why, each] of local) {
    reasons.push({ reason: why, count: each.length, examples: each.slice(0, 20).map(([number]) => [files[number].path, ""]) });
  }
  return reasons;
}

function grouped(without) {
  const found = new Map();
  for (const [number, why] of without) found.set(why, [...(found.get(why) ?? []), [number, why]]);
  return found;
}
