// Sequences: read from a dropped file, and shown with their tokens coloured by what they are tokens of.

import { button, count, make } from "./elements.js";
import { tokens } from "./server.js";

const SHOWN_LETTERS = 720;
const MOST_LETTERS = 20000;
const KINDS = { dna: "DNA", protein: "protein", english: "English" };
// What a FASTA file or bare letters may hold.
const LETTERS = /^[A-Za-z*\-.\s]*$/;

/** The text of a file, its name and number of records. Throws an Error that says what is wrong with it. */
export async function readFile(file, mostLetters) {
  if (file.size > mostLetters) {
    throw new Error(`${file.name}: ${count(file.size, "byte")}; a message holds ${mostLetters.toLocaleString("en")}. ` +
      "Send a part, or use llama-gene predict.");
  }
  const text = (await file.text()).replace(/\r\n?/g, "\n").trim();
  return readText(text, file.name);
}

export function readText(text, name) {
  const lines = text.split("\n");
  const wrong = lines.findIndex((line) => !line.startsWith(">") && !LETTERS.test(line));
  if (!text) throw new Error(`${name}: the file is empty.`);
  if (wrong >= 0) throw new Error(`${name}, line ${wrong + 1}: not FASTA. Expected lines of letters under headers that start with >.`);
  // An empty line would end the record where the server reads it.
  const records = lines.filter((line) => line.startsWith(">")).length;
  const held = lines.filter((line) => line.trim()).join("\n");
  return { name, records: Math.max(records, 1), text: records ? held : `>${name.replace(/\s+/g, "_")}\n${held}` };
}

function drawTokens(letters, spans, most) {
  const box = make("code", { className: "letters" });
  let place = 0;
  spans.forEach(({ start, end, kind }, number) => {
    if (start >= most) return;
    place = end;
    box.append(make("span", {
      className: `token ${kind} ${number % 2 ? "odd" : "even"}`,
      title: `${KINDS[kind]} token`,
      textContent: letters.slice(start, end),
    }));
  });
  if (place < letters.length) box.append(make("span", { className: "more", textContent: ` … ${count(letters.length - place, "more letter")}` }));
  return box;
}

function legend(spans) {
  const found = Object.keys(KINDS).map((kind) => [kind, spans.filter((span) => span.kind === kind).length]);
  return make("span", { className: "legend" }, ...found.filter(([, number]) => number).map(([kind, number]) =>
    make("span", {}, make("i", { className: `token ${kind}` }), ` ${count(number, `${KINDS[kind]} token`)}`)));
}

/** A sequence with its tokens, which are asked for when it is shown. */
export function showSequence({ id, kind, letters }) {
  const head = make("figcaption", {}, make("b", { textContent: id }), ` ${KINDS[kind] ?? kind} · ${count(letters.length, "letter")} `);
  const view = make("figure", { className: "sequence" }, head, make("code", { className: "letters", textContent: letters.slice(0, SHOWN_LETTERS) }));
  tokens(letters.slice(0, MOST_LETTERS)).then((spans) => {
    head.append(legend(spans));
    const draw = (most) => view.querySelector("code").replaceWith(drawTokens(letters, spans, most));
    draw(SHOWN_LETTERS);
    if (letters.length > SHOWN_LETTERS) {
      const more = button(`Show ${letters.length > MOST_LETTERS ? "more" : "all"}`, () => { draw(MOST_LETTERS); more.remove(); }, { className: "small" });
      view.append(more);
    }
  }).catch(() => head.append("· its tokens could not be shown"));
  return view;
}
