// Tools called by hand: a form made from the tool's schema writes `/tool NAME {arguments}`, which is read here again.

import { fill, keptFiles, typed } from "./composer.js";
import { button, byId, make } from "./elements.js";
import { callTool, tools } from "./server.js";

const SEQUENCES = new Set(["dna", "protein", "sequence", "primer"]);
const INPUT = "@input";
const LONG_LETTERS = 60;

/** What a field starts with: the tool's default, `@input` where a sequence goes, or nothing. */
function first(name, { type, enum: choices, items, default: given }, kind) {
  if (SEQUENCES.has(name) || (type === "array" && items?.maxLength > LONG_LETTERS)) return INPUT;
  if (name === "kind" && choices?.includes(kind)) return kind;
  if (given === undefined || given === null) return choices ? choices[0] : "";
  return typeof given === "object" ? JSON.stringify(given) : given;
}

const isNumber = ({ type }) => type === "integer" || type === "number";

const isPlain = (schema) => schema.enum || isNumber(schema) || schema.type === "string";

function control(name, schema, value, isNeeded) {
  const common = { id: `argument-${name}`, name, required: isNeeded && schema.minLength !== undefined };
  const described = { "aria-describedby": `argument-${name}-help` };
  if (schema.enum) {
    return make("select", { ...common, attributes: described },
      ...schema.enum.map((choice) => make("option", { value: choice, textContent: choice, selected: choice === value })));
  }
  if (isNumber(schema)) {
    const limits = { min: schema.minimum, max: schema.maximum, step: schema.type === "integer" ? 1 : "any" };
    const given = Object.fromEntries(Object.entries(limits).filter(([, limit]) => limit !== undefined));
    return make("input", { ...common, type: "number", required: isNeeded, attributes: { ...described, ...given, value } });
  }
  return make("input", { ...common, type: "text", value, spellcheck: false, autocomplete: "off", attributes: described });
}

/** What a field holds as a JSON value; undefined where it was left empty or as the tool has it anyway. */
function valueOf(schema, text, isNeeded) {
  if (text === "" && (!isNeeded || isNumber(schema))) return undefined;
  if (text === INPUT) return text;
  let value = text;
  if (isNumber(schema)) value = Number(text);
  else if (!isPlain(schema)) {
    // A list of words may be typed as words.
    try { value = JSON.parse(text); } catch { value = schema.type === "array" ? text.split(/[\s,]+/).filter(Boolean) : text; }
  }
  if (schema.enum) value = schema.enum.find((choice) => String(choice) === text) ?? text;
  return !isNeeded && JSON.stringify(value) === JSON.stringify(schema.default) ? undefined : value;
}

function showForm({ name, description, schema }, kind, send) {
  const needed = new Set(schema.required ?? []);
  const fields = Object.entries(schema.properties);
  const drawField = ([argument, one]) => make("div", { className: "field" },
    make("label", { htmlFor: `argument-${argument}`, textContent: `${argument.replaceAll("_", " ")}${needed.has(argument) ? "" : " (optional)"}` }),
    control(argument, one, first(argument, one, kind), needed.has(argument)),
    make("p", { id: `argument-${argument}-help`, className: "fine", textContent: one.description ?? "" }));
  const further = fields.filter(([argument]) => !needed.has(argument));
  const form = byId("tool-form");
  form.replaceChildren(
    make("h3", { textContent: name }), make("p", { className: "fine", textContent: description }),
    make("div", { className: "fields" }, ...fields.filter(([argument]) => needed.has(argument)).map(drawField)),
    further.length ? make("details", { open: !needed.size }, make("summary", { textContent: "More arguments" }),
      make("div", { className: "fields" }, ...further.map(drawField))) : "",
    make("p", { className: "fine", textContent: `${INPUT} is the sequence in the message box, or else that of before; of several, ${INPUT}1, ${INPUT}2 …` }),
    make("div", { className: "row" }, make("button", { type: "submit", className: "primary", textContent: "Call" }),
      make("button", { type: "button", textContent: "Close", onclick: closeForm })));
  form.onsubmit = (event) => {
    event.preventDefault();
    const values = fields.map(([argument, one]) => [argument, valueOf(one, form.elements[argument].value.trim(), needed.has(argument))]);
    const given = Object.fromEntries(values.filter(([, value]) => value !== undefined));
    fill([`/tool ${name} ${JSON.stringify(given)}`, typed()].filter(Boolean).join("\n"), keptFiles());
    closeForm();
    send();
  };
  form.hidden = false;
  (form.querySelector("input, select") ?? form.querySelector("button")).focus();
}

export function closeForm() {
  byId("tool-form").hidden = true;
  byId("message").focus();
}

/** Fill the menu; `latestKind` says what the sequences of before are. */
export async function startTools({ send, latestKind }) {
  byId("tools").replaceChildren(...(await tools()).map((tool) => {
    const choice = button("", () => { byId("tool").open = false; showForm(tool, latestKind(), send); }, { value: tool.name });
    choice.append(make("b", { textContent: tool.name.replaceAll("_", " ") }), make("span", { className: "fine", textContent: tool.description }));
    return choice;
  }));
  byId("tool-form").onkeydown = (event) => {
    if (event.key !== "Escape") return;
    event.stopPropagation();
    closeForm();
  };
}

/** The events of a call where the words are one, else null. */
export function toolEvents(words, message, conversation, signal) {
  const call = words.match(/^\/tool\s+(\S+)\s*(\{[\s\S]*\})?/);
  if (!call) return null;
  const [line, tool, given = ""] = call;
  return (async function* events() {
    yield { type: "calling", tool };
    const body = { tool, arguments: given, message: message.slice(line.length).trim(), conversation };
    const told = await callTool(body, signal);
    for (const text of told.notices) yield { type: "notice", text };
    yield told.step;
    yield { type: "reply", question: line, sequences: told.sequences, based_on: [], conversation: told.conversation };
  }());
}
