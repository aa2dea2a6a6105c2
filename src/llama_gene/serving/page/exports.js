// The conversation as a file: Markdown to read, CSV for a table, JSON for programs.

import { make } from "./elements.js";
import { foundLines, hitsOf, partHits } from "./found.js";

const COLUMNS = ["at", "question", "sequences", "task", "label", "probability", "probabilities", "answer", "tools", "found", "error"];

/** One cell. A sheet would run what starts like a formula, so that is led by an apostrophe. */
function cell(value) {
  const text = String(value ?? "");
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replace(/"/g, '""')}"` : safe;
}

function rows(turn) {
  const answers = turn.answers.length ? turn.answers : [{ names: [], task: turn.task, text: turn.writing?.text ?? "", closed: null }];
  return answers.map((answer) => {
    const shares = answer.closed?.probabilities ?? {};
    return [turn.at, turn.question, answer.names.join(" "), answer.task, answer.closed?.label, shares[answer.closed?.label],
      Object.entries(shares).map(([label, share]) => `${label}=${share}`).join("; "), answer.closed ? "" : answer.text,
      turn.steps.map(({ tool }) => tool).join(" "), turn.found ? foundLines(turn.found).join("\n") : "", turn.error];
  });
}

const asCsv = (turns) => [COLUMNS, ...turns.flatMap(rows)].map((row) => row.map(cell).join(",")).join("\r\n") + "\r\n";

/** Text that stays text in Markdown: a fence longer than any inside. */
function fenced(text) {
  const longest = Math.max(2, ...[...text.matchAll(/`+/g)].map(([ticks]) => ticks.length));
  const fence = "`".repeat(longest + 1);
  return `${fence}text\n${text}\n${fence}`;
}

const withoutPictures = (name, value) => (name.endsWith("_svg") ? undefined : value);

/** The result of a step; a hit that stands below with all that was found is named alone. */
function resultOf({ result }, found) {
  const { own, again } = partHits(hitsOf(result), found);
  return again.length ? [...own, ...again.map(({ id }) => `${id}: below`)] : result;
}

function asMarkdown(turns, model) {
  const parts = turns.map((turn) => [
    "## Question", fenced([turn.question, ...turn.sequences.map(({ id, letters }) => `>${id}\n${letters}`)].filter(Boolean).join("\n")),
    ...turn.notices.map((text) => `- ${text}`),
    ...turn.steps.map((step) => `### Tool ${step.tool}\n\n${fenced(JSON.stringify({ arguments: step.arguments, result: resultOf(step, turn.found), ...(step.error ? { error: step.error } : {}) }, withoutPictures, 1))}`),
    ...turn.answers.map((answer) => `### ${[answer.names.join(" and "), answer.task].filter(Boolean).join(", ") || "Answer"}\n\n${fenced(answer.text)}`),
    turn.found ? `### Found in the index ${turn.found.index}\n\n${fenced(foundLines(turn.found).join("\n"))}` : "",
    turn.error ? `Error: ${turn.error}` : "",
  ].filter(Boolean).join("\n\n"));
  return `# Conversation with ${model}\n\n${parts.join("\n\n")}\n`;
}

const FORMATS = {
  csv: ["text/csv", asCsv],
  md: ["text/markdown", asMarkdown],
  json: ["application/json", (turns, model) => `${JSON.stringify({ model, turns }, null, 2)}\n`],
};

/** Hand the conversation to the browser as a download. */
export function save(format, turns, model) {
  const [type, write] = FORMATS[format];
  const address = URL.createObjectURL(new Blob([write(turns, model)], { type: `${type};charset=utf-8` }));
  make("a", { href: address, download: `llama-gene.${format}` }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10000);
}
