// Calls of tools as they happen: the tool, what it was given, what came of it, how long it took, and its pictures.

import { isAlignment, showAlignment } from "./alignment.js";
import { showProbabilities } from "./bars.js";
import { make } from "./elements.js";
import { hitsOf, partHits, showHit } from "./found.js";
import { showValue } from "./values.js";

const PICTURE = "_svg";
const NAMESPACE = 'xmlns="http://www.w3.org/2000/svg"';
// Drawings are made for pages of many themes; as an image each stands alone, on white.
const COLOURS = { ink: "#222", line: "#ddd" };
const SHORT_LETTERS = 70;

/** A drawing from the server as an image: a browser runs no script of an image. */
function picture(name, svg) {
  const spoken = svg.match(/aria-label="([^"]*)"/)?.[1] ?? name.replace(/_/g, " ");
  const whole = svg.includes("xmlns=") ? svg : svg.replace("<svg", `<svg ${NAMESPACE} font-family="sans-serif"`);
  const coloured = whole.replace(/var\(--(\w+)\)/g, (_, variable) => COLOURS[variable] ?? "#222");
  const image = make("img", { className: "picture", alt: spoken });
  // The size at which its letters can be read; where the page is narrower, its box scrolls.
  const points = svg.match(/max-width: ([\d.]+)pt/)?.[1];
  if (points) image.style.width = `${points}pt`;
  image.src = URL.createObjectURL(new Blob([coloured], { type: "image/svg+xml" }));
  image.onload = () => URL.revokeObjectURL(image.src);
  return make("div", { className: "scroll", tabIndex: 0, attributes: { role: "region", "aria-label": "Picture" } }, image);
}

const isObject = (value) => value !== null && typeof value === "object" && !Array.isArray(value);

const isShares = (value) => isObject(value) && Object.keys(value).length > 0 && Object.values(value).every((share) => typeof share === "number");

/** What a reader sees of a result: hits, pictures, bars and alignments as such, everything else by its name. */
function showResult(result, found) {
  const { own, again } = partHits(hitsOf(result), found);
  const below = again.length ? [make("p", { className: "fine", textContent: `Found below: ${again.map(({ id }) => id).join(", ")}` })] : [];
  if (own.length || again.length) return [...own.map((hit) => showHit(hit)), ...below];
  if (Array.isArray(result) && !result.length) return [make("p", { textContent: "Nothing was found." })];
  if (!isObject(result)) return [showValue(result)];
  const parts = Object.entries(result);
  const pictures = parts.filter(([name, value]) => name.endsWith(PICTURE) && typeof value === "string");
  const { probabilities } = result;
  const drawn = new Set([...pictures.map(([name]) => name), ...(isShares(probabilities) ? ["probabilities"] : []),
    ...(isAlignment(result) ? ["first", "middle", "second"] : [])]);
  const rest = showValue(Object.fromEntries(parts.filter(([name]) => !drawn.has(name))));
  return [
    isAlignment(result) ? showAlignment({ ...result, first_start: result.first_start + 1, second_start: result.second_start + 1 }) : null,
    ...pictures.map(([name, svg]) => picture(name.slice(0, -PICTURE.length), svg)),
    isShares(probabilities) ? showProbabilities(probabilities) : null,
    pictures.length ? make("details", {}, make("summary", { textContent: "Figures" }), rest) : rest,
  ];
}

const short = (given) => {
  const text = Object.entries(given ?? {}).map(([name, value]) => `${name}: ${typeof value === "string" ? value : JSON.stringify(value)}`).join(", ");
  return text.length > SHORT_LETTERS ? `${text.slice(0, SHORT_LETTERS)} …` : text;
};

/** One call. `isOpen`: its result is in sight at once; `found`: what is shown below it, and not here again. */
export function showStep({ tool, arguments: given, result, error, seconds }, isOpen = true, found = null) {
  return make("details", { className: error ? "step failed" : "step", open: isOpen || Boolean(error) },
    make("summary", {},
      make("span", { className: "mark", textContent: error ? "✗" : "✓", attributes: { "aria-hidden": "true" } }),
      make("b", { textContent: (tool || "?").replaceAll("_", " ") }), error ? " failed " : " was called ",
      make("span", { className: "short", textContent: short(given) }),
      typeof seconds === "number" ? make("span", { className: "figures", textContent: `${seconds.toFixed(2)} s` }) : null),
    error ? make("p", { className: "problem", textContent: error }) : make("div", { className: "result" }, ...showResult(result, found)),
    make("details", { className: "fine" }, make("summary", { textContent: "The call as it was made" }),
      make("pre", { textContent: JSON.stringify({ tool, arguments: given, ...(error ? { error } : { result }) }, null, 1), tabIndex: 0 })));
}

/** A call that runs. */
export const showCalling = (tool) => make("p", { className: "step running", attributes: { role: "status" } }, make("b", { textContent: tool.replaceAll("_", " ") }), " is running …");
