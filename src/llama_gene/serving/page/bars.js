// The probability of every label as bars, and the states of a chain under its letters.

import { make, percent } from "./elements.js";

const SHOWN = 8;
const LINE = 60;

function bar([label, share], isBest) {
  const fill = make("span", { className: "fill" });
  // A style that a script sets is allowed by the page's policy; one in the markup is not.
  fill.style.width = `${Math.max(0.4, 100 * share)}%`;
  return make(
    "li",
    { className: isBest ? "bar best" : "bar" },
    make("span", { className: "label", textContent: label }),
    make("span", { className: "track", attributes: { "aria-hidden": "true" } }, fill),
    make("span", { className: "share", textContent: percent(share) }),
  );
}

const list = (pairs, isFirst) =>
  make("ul", { className: "bars", attributes: { "aria-label": "Probabilities" } },
    ...pairs.map((pair, place) => bar(pair, isFirst && place === 0)));

/** Bars, the likeliest first; beyond eight the others are folded. */
export function showProbabilities(probabilities) {
  const ordered = Object.entries(probabilities).sort((one, other) => other[1] - one[1]);
  const rest = ordered.slice(SHOWN);
  const box = make("div", {}, list(ordered.slice(0, SHOWN), true));
  if (rest.length) {
    const sum = rest.reduce((total, [, share]) => total + share, 0);
    box.append(make("details", {}, make("summary", { textContent: `${rest.length} more labels, ${percent(sum)} together` }),
      list(rest, false)));
  }
  return box;
}

/** Letters with the state of each below, in lines with their first position. */
export function showStates(chain, states) {
  const lines = [];
  for (let start = 0; start < chain.length; start += LINE) {
    lines.push(`${String(start + 1).padStart(6)} ${chain.slice(start, start + LINE)}`);
    lines.push(`${" ".repeat(6)} ${states.slice(start, start + LINE)}`);
  }
  return make("pre", { className: "states", textContent: lines.join("\n"), tabIndex: 0 });
}
