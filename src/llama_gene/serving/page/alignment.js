// Two rows of letters under each other as a drawing: alike, unlike, or against a gap, by colour and by the row between.

import { count, make } from "./elements.js";

const SVG = "http://www.w3.org/2000/svg";
const CELL = 9;
const ROW = 17;
const GAP = 6;
const DIGIT = 7;
// Around a drawing on a narrow page: the page's margins, the card's, and its border.
const MARGINS = 60;
const STEP = 5;
const FEWEST = 10;
const MOST = 60;

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
const letters = (text, left, y) => draw("text", { x: [...text].map((_, place) => left + CELL * (place + 0.5)).join(" "), y, "text-anchor": "middle" }, text);

const written = (place) => place.toLocaleString("en");

const label = (place, y, x, anchor) => draw("text", { x, y, class: "place", "text-anchor": anchor }, written(place));

/** How wide the numbers beside the rows are, in pixels. */
const labelWidth = (...places) => GAP + DIGIT * Math.max(...places.map((place) => written(place).length));

/** As many columns as the page has room for, so that nothing is to be scrolled sideways. */
function columnsBeside(left) {
  const room = Math.floor((window.innerWidth - MARGINS - 2 * left) / CELL / STEP) * STEP;
  return Math.min(MOST, Math.max(FEWEST, room));
}

function block(rows, columns, places, left) {
  const [first, second] = rows;
  const width = left + CELL * columns + left;
  const box = draw("svg", { viewBox: `0 0 ${width} ${3 * ROW + 6}`, width, height: 3 * ROW + 6, "aria-hidden": "true" });
  for (const { start, length, kind } of runs(first, second)) {
    box.append(draw("rect", { x: left + CELL * start, y: 2, width: CELL * length, height: 3 * ROW, class: kind }));
  }
  const between = [...first].map((letter, place) => ({ alike: "|", unlike: "·", gap: "\u00a0" }[kindOf(letter, second[place])])).join("");
  box.append(letters(first, left, ROW - 2), letters(between, left, 2 * ROW - 2), letters(second, left, 3 * ROW - 2));
  places.forEach(({ from, to }, row) => {
    const y = (2 * row + 1) * ROW - 2;
    box.append(label(from, y, left - GAP, "end"), label(to, y, left + CELL * first.length + GAP, "start"));
  });
  return box;
}

/**
 * The drawing of an alignment, its figures in words, and its letters as text to copy.
 * Places are those of the first letter shown, 1-based; `first_step` is -1 where the other strand is shown.
 */
export function showAlignment({ first, second, first_start = 1, first_step = 1, second_start = 1 }) {
  const left = labelWidth(first_start, second_start, first_start + first.length, second_start + second.length);
  const columns = columnsBeside(left);
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
    drawing.append(block(rows, Math.min(columns, first.length), places, left));
  }
  return make("figure", { className: "aligned" }, drawing,
    make("figcaption", { className: "fine" },
      ...["alike", "unlike", "gap"].map((kind) => make("span", { className: "key" }, make("i", { className: kind }), ` ${number(kind)} ${kind === "gap" ? "against a gap" : kind}`))));
}

export const isAlignment = (value) =>
  typeof value?.first === "string" && typeof value.second === "string" && value.first.length === value.second.length;
