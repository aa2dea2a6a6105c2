// Two rows of letters under each other as a drawing: alike, unlike, or against a gap, by colour and by the row between.

import { count, make } from "./elements.js";

const SVG = "http://www.w3.org/2000/svg";
const CELL = 9;
const ROW = 17;
const LABEL = 62;
const NARROW = 560;

function draw(tag, attributes, text = "") {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.textContent = text;
  return element;
}

const kindOf = (one, other) => (one === "-" || other === "-" ? "gap" : one === other ? "alike" : "unlike");

/** Neighbouring columns of one kind, so that a long alignment needs few shapes. */
function* runs(first, second) {
  let start = 0;
  for (let place = 1; place <= first.length; place += 1) {
    const kind = kindOf(first[start], second[start]);
    if (place < first.length && kindOf(first[place], second[place]) === kind) continue;
    yield { start, length: place - start, kind };
    start = place;
  }
}

// Each letter stands in the middle of its column, whatever font there is.
const letters = (text, y) => draw("text", { x: [...text].map((_, place) => LABEL + CELL * (place + 0.5)).join(" "), y, "text-anchor": "middle" }, text);

const label = (place, y, x, anchor) => draw("text", { x, y, class: "place", "text-anchor": anchor }, place.toLocaleString("en"));

function block(rows, columns, places) {
  const [first, second] = rows;
  const width = LABEL + CELL * columns + LABEL;
  const box = draw("svg", { viewBox: `0 0 ${width} ${3 * ROW + 6}`, width, height: 3 * ROW + 6, "aria-hidden": "true" });
  for (const { start, length, kind } of runs(first, second)) {
    box.append(draw("rect", { x: LABEL + CELL * start, y: 2, width: CELL * length, height: 3 * ROW, class: kind }));
  }
  const between = [...first].map((letter, place) => ({ alike: "|", unlike: "·", gap: "\u00a0" }[kindOf(letter, second[place])])).join("");
  box.append(letters(first, ROW - 2), letters(between, 2 * ROW - 2), letters(second, 3 * ROW - 2));
  places.forEach(({ from, to }, row) => {
    const y = (2 * row + 1) * ROW - 2;
    box.append(label(from, y, LABEL - 6, "end"), label(to, y, LABEL + CELL * first.length + 6, "start"));
  });
  return box;
}

/**
 * The drawing of an alignment, its figures in words, and its letters as text to copy.
 * Places are those of the first letter shown, 1-based; `first_step` is -1 where the other strand is shown.
 */
export function showAlignment({ first, second, first_start = 1, first_step = 1, second_start = 1 }) {
  const columns = window.innerWidth < NARROW ? 25 : 60;
  const kinds = [...first].map((letter, place) => kindOf(letter, second[place]));
  const number = (kind) => kinds.filter((one) => one === kind).length;
  const told = `${count(first.length, "column")}: ${number("alike")} alike, ${number("unlike")} unlike, ${number("gap")} against a gap`;
  const drawing = make("div", { className: "alignment", tabIndex: 0, attributes: { role: "img", "aria-label": `Alignment of ${told}` } });
  const at = [first_start, second_start];
  for (let start = 0; start < first.length; start += columns) {
    const rows = [first, second].map((row) => row.slice(start, start + columns));
    const places = rows.map((row, which) => {
      const step = which ? 1 : first_step;
      const held = row.replaceAll("-", "").length;
      const from = at[which];
      at[which] += step * held;
      return { from, to: held ? from + step * (held - 1) : from };
    });
    drawing.append(block(rows, Math.min(columns, first.length), places));
  }
  return make("figure", { className: "aligned" }, drawing,
    make("figcaption", { className: "fine" },
      ...["alike", "unlike", "gap"].map((kind) => make("span", { className: "key" }, make("i", { className: kind }), ` ${number(kind)} ${kind === "gap" ? "against a gap" : kind}`))));
}

export const isAlignment = (value) =>
  typeof value?.first === "string" && typeof value.second === "string" && value.first.length === value.second.length;
