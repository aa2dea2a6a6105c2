// What an answer rests on: calls of tools with their pictures, and sources that open on a click.

import { make, percent } from "./elements.js";

const PICTURE = "_svg";

const NAMESPACE = 'xmlns="http://www.w3.org/2000/svg"';
// Drawings are made for pages of many themes; as an image each stands alone, on white.
const COLOURS = { ink: "#222", line: "#ddd" };

/** A drawing from the server as an image: a browser runs no script of an image. */
function picture(name, svg) {
  const spoken = svg.match(/aria-label="([^"]*)"/)?.[1] ?? name.replace(/_/g, " ");
  const whole = svg.includes("xmlns=") ? svg : svg.replace("<svg", `<svg ${NAMESPACE} font-family="sans-serif"`);
  const coloured = whole.replace(/var\(--(\w+)\)/g, (_, variable) => COLOURS[variable] ?? "#222");
  const image = make("img", { className: "picture", alt: spoken });
  image.src = URL.createObjectURL(new Blob([coloured], { type: "image/svg+xml" }));
  image.onload = () => URL.revokeObjectURL(image.src);
  return image;
}

const COLUMNS = 60;

/** Two rows of letters by their columns: alike, unlike, or against a gap. */
function alignment({ first, second }) {
  const box = make("div", { className: "alignment", tabIndex: 0, role: "img", ariaLabel: `Alignment of ${first.length} columns` });
  const row = (letters, others) => make("div", {}, ...[...letters].map((letter, place) => make("span", {
    className: letter === "-" || others[place] === "-" ? "gap" : letter === others[place] ? "alike" : "unlike",
    textContent: letter,
  })));
  for (let start = 0; start < first.length; start += COLUMNS) {
    const [above, below] = [first, second].map((letters) => letters.slice(start, start + COLUMNS));
    box.append(make("div", { className: "block" }, row(above, below), row(below, above)));
  }
  return box;
}

const isAlignment = (result) =>
  typeof result?.first === "string" && typeof result.second === "string" && result.first.length === result.second.length;

/** The hits of a search in an index. */
const hitsOf = (result) => (Array.isArray(result?.hits) ? result.hits : Array.isArray(result) ? result : [])
  .filter((hit) => hit && hit.id !== undefined && hit.source !== undefined);

/** One call: the tool, what it was given, what came of it. */
export function showStep({ tool, arguments: given, result, error }) {
  const isObject = result !== null && typeof result === "object" && !Array.isArray(result);
  const parts = isObject ? Object.entries(result) : [];
  const isPicture = ([name, value]) => name.endsWith(PICTURE) && typeof value === "string";
  const pictures = parts.filter(isPicture);
  const shown = isObject ? Object.fromEntries(parts.filter((part) => !isPicture(part))) : result;
  // An alignment is read line under line.
  const text = (value) => (typeof value === "string" ? value : JSON.stringify(value, null, 1));
  return make("div", { className: error ? "step failed" : "step" },
    make("details", { open: !error && !pictures.length && !isAlignment(result) },
      make("summary", {}, make("b", { textContent: tool || "?" }), error ? " failed" : " was called"),
      make("pre", { textContent: text(given ?? {}), tabIndex: 0 }),
      error ? null : make("pre", { textContent: text(shown), tabIndex: 0 })),
    error ? make("p", { textContent: error }) : null,
    isAlignment(result) ? alignment(result) : null,
    ...hitsOf(result).map(showSource),
    ...pictures.map(([name, svg]) => picture(name.slice(0, -PICTURE.length), svg)));
}

/** A hit of the index: identifier and figures, its text on a click, a link where its source is a web address. */
export function showSource(hit) {
  const figures = [
    hit.identity === undefined ? null : `identity ${percent(hit.identity)}`,
    hit.coverage === undefined ? null : `coverage ${percent(hit.coverage)}`,
    hit.e_value === undefined || hit.e_value === null ? null : `E-value ${hit.e_value.toPrecision(2)}`,
    hit.method,
  ].filter(Boolean).join(" · ");
  const isLink = /^https?:\/\//.test(hit.source ?? "");
  const where = isLink
    ? make("a", { href: hit.source, target: "_blank", rel: "noopener noreferrer", textContent: hit.source })
    : make("span", { textContent: hit.source ?? "" });
  return make("details", { className: "source" },
    make("summary", {}, make("b", { textContent: hit.id }), figures ? ` ${figures}` : ""),
    make("p", { textContent: hit.text ?? hit.description ?? "" }), make("p", {}, where));
}
