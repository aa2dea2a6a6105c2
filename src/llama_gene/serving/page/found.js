// What the index holds about a turn: sequences that align, with the alignment drawn, and passages to open.

import { isAlignment, showAlignment } from "./alignment.js";
import { count, make, percent } from "./elements.js";

const DIGITS = 2;
const SHORT_LETTERS = 80;

/** What is known of a hit's likeness, as short words. */
function figures(hit) {
  return [
    typeof hit.identity === "number" ? `identity ${percent(hit.identity)}` : "",
    typeof hit.coverage === "number" ? `coverage ${percent(hit.coverage)}` : "",
    typeof hit.e_value === "number" ? `E-value ${hit.e_value ? hit.e_value.toPrecision(DIGITS) : "0"}` : "",
    hit.identity !== undefined && hit.e_value === null ? "no E-value" : "",
    hit.method,
  ].filter(Boolean).join(" · ");
}

const placeOf = (hit) => (hit.strand ? `${(hit.start + 1).toLocaleString("en")}–${hit.end.toLocaleString("en")} on strand ${hit.strand}` : "");

/** Where a hit was read from: a link only where the source is a web address. */
function sourceOf(hit) {
  const source = String(hit.source ?? "");
  if (!/^https?:\/\//.test(source)) return make("span", { textContent: source });
  return make("a", { href: source, target: "_blank", rel: "noopener noreferrer", textContent: source });
}

/** A hit of the index that opens on a click: identifier and figures above, then description or text, picture, source. */
export function showHit(hit, isOpen = false) {
  const isPassage = hit.text !== undefined;
  const name = isPassage && hit.title ? hit.title : hit.id;
  const short = isPassage ? `${String(hit.text).slice(0, SHORT_LETTERS)} …` : hit.description;
  return make("details", { className: isPassage ? "hit passage" : "hit", open: isOpen },
    make("summary", {}, make("b", { textContent: name }), short ? make("span", { className: "short", textContent: short }) : null,
      make("span", { className: "figures", textContent: figures(hit) })),
    isPassage ? make("blockquote", { className: "words", textContent: hit.text }) : null,
    isAlignment(hit.alignment) ? showAlignment(hit.alignment) : null,
    make("p", { className: "fine" }, isPassage ? `${hit.id} · ` : "", placeOf(hit) ? `${placeOf(hit)} · ` : "", "source: ", sourceOf(hit)));
}

function showNeighbours(asked, isAlone) {
  return make("div", { className: "neighbours" },
    make("h4", {}, isAlone ? "Alike sequences" : `Sequences like ${asked.name}`, asked.hits.length ? ` (${asked.hits.length})` : ""),
    asked.note ? make("p", { className: "fine", textContent: asked.note }) : null,
    ...asked.hits.map((hit, place) => showHit(hit, place === 0)));
}

/** Everything found for a turn; nothing at all is drawn where nothing was looked for. */
export function showFound(found) {
  const passages = found.passages ?? [];
  if (!found.neighbours.length && !passages.length && !found.passages_note) return null;
  return make("section", { className: "found", attributes: { "aria-label": "Found in the index" } },
    make("h3", {}, "Found in the index ", make("span", { className: "model", textContent: found.index })),
    ...found.neighbours.map((asked) => showNeighbours(asked, found.neighbours.length === 1)),
    passages.length || found.passages_note ? make("div", { className: "neighbours" },
      make("h4", {}, "Passages", passages.length ? ` (${passages.length})` : ""),
      found.passages_note ? make("p", { className: "fine", textContent: found.passages_note }) : null,
      ...passages.map((hit) => showHit(hit))) : null);
}

/** The hits of a search that a tool made. */
export const hitsOf = (result) => (Array.isArray(result?.hits) ? result.hits : Array.isArray(result) ? result : [])
  .filter((hit) => hit && hit.id !== undefined && hit.source !== undefined);

const keyOf = ({ id, source, start, end }) => [id, source, start, end].join("\n");

/** Of the hits of a tool's search, those that stand among what was found for the whole turn, with their alignments, and the others. */
export function partHits(hits, found) {
  const below = new Set([...(found?.neighbours ?? []).flatMap((asked) => asked.hits), ...(found?.passages ?? [])].map(keyOf));
  return { own: hits.filter((hit) => !below.has(keyOf(hit))), again: hits.filter((hit) => below.has(keyOf(hit))) };
}

/** What was found as lines of text, for a file. */
export function foundLines(found) {
  const lines = found.neighbours.flatMap((asked) => [
    ...(asked.note ? [`${asked.name}: ${asked.note}`] : []),
    ...asked.hits.map((hit) => [`${asked.name} ~ ${hit.id}`, hit.description, figures(hit), placeOf(hit), `source ${hit.source}`].filter(Boolean).join(" · ")),
  ]);
  return [...lines, ...(found.passages ?? []).map((hit) => `${hit.id} · source ${hit.source} · ${hit.text}`),
    ...(found.passages_note ? [`passages: ${found.passages_note}`] : [])];
}

export const foundCount = (found) => count(found.neighbours.reduce((sum, asked) => sum + asked.hits.length, 0) + (found.passages?.length ?? 0), "hit");
