// Tools called by hand: the picker writes `/tool NAME {arguments}` into the box, which is read here again.

import { fill, keptFiles } from "./composer.js";
import { byId, make } from "./elements.js";
import { callTool, tools } from "./server.js";

const SEQUENCES = new Set(["dna", "protein", "sequence", "letters"]);

/** A call to begin with: what is needed, with `@input` where a sequence goes. */
function skeleton({ name, schema }) {
  const blank = (argument) => {
    const { type, enum: choices, minimum } = schema.properties[argument];
    if (SEQUENCES.has(argument) || type === "array") return "@input";
    if (choices) return choices[0];
    return type === "integer" || type === "number" ? minimum ?? 1 : "";
  };
  const needed = Object.fromEntries((schema.required ?? []).map((argument) => [argument, blank(argument)]));
  return `/tool ${name} ${JSON.stringify(needed)}`;
}

export async function startTools() {
  const found = await tools();
  const box = byId("tool");
  box.replaceChildren(box.options[0], ...found.map((tool) =>
    make("option", { value: tool.name, textContent: tool.name, title: tool.description })));
  box.onchange = () => {
    const tool = found.find(({ name }) => name === box.value);
    if (tool) fill(skeleton(tool), keptFiles());
    box.value = "";
  };
}

/** The events of a call where the words are one, else null. */
export function toolEvents(words, message, conversation, signal) {
  const call = words.match(/^\/tool\s+(\S+)\s*(\{[\s\S]*\})?/);
  if (!call) return null;
  const [line, tool, given = ""] = call;
  return (async function* events() {
    const body = { tool, arguments: given, message: message.slice(line.length).trim(), conversation };
    const told = await callTool(body, signal);
    for (const text of told.notices) yield { type: "notice", text };
    yield told.step;
    yield { type: "reply", question: line, sequences: told.sequences, based_on: [], conversation: told.conversation };
  }());
}
