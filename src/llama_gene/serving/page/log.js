// A turn of the conversation on the page: what was asked, what came, and what it rests on.

import { showProbabilities, showStates } from "./bars.js";
import { button, make } from "./elements.js";
import { foundCount, showFound } from "./found.js";
import { showSequence } from "./sequences.js";
import { showCalling, showStep } from "./steps.js";

const ASKED_SHOWN = 600;
const COPY = "Copy";

/** A new turn: plain values, so that it can be kept and exported. */
export const newTurn = (question, files, task) => ({
  question, files, task, notices: [], answers: [], steps: [], found: null, sequences: [], basedOn: [],
  writing: null, doing: null, error: "", stopped: false, isDone: false, at: new Date().toISOString(),
});

/** Take an event into a turn. */
export function take(turn, event) {
  turn.doing = null;
  switch (event.type) {
    case "notice": turn.notices.push(event.text); break;
    case "begun": turn.writing = { names: event.names, task: event.task, text: "" }; break;
    case "piece": turn.writing.text += event.text; break;
    case "answered": turn.answers.push(event); turn.writing = null; break;
    case "calling": turn.doing = { tool: event.tool }; break;
    case "step": turn.steps.push(event); break;
    case "searching": turn.doing = { searching: event.names }; break;
    case "found": turn.found = event; break;
    case "reply":
      turn.sequences = event.sequences;
      turn.basedOn = event.based_on;
      turn.question = event.question || turn.question;
      break;
    default:
  }
}

/** Copy from a box of text. A page that came over the network without TLS has no other way. */
function copySelected(text) {
  const box = document.body.appendChild(make("textarea", { value: text, className: "hidden" }));
  box.select();
  const isDone = document.execCommand("copy");
  box.remove();
  return isDone;
}

async function copy(text, sender) {
  const isDone = navigator.clipboard
    ? await navigator.clipboard.writeText(text).then(() => true, () => false)
    : copySelected(text);
  sender.textContent = isDone ? "Copied" : "Not allowed here";
  sender.focus();
  setTimeout(() => { sender.textContent = COPY; }, 1500);
}

function showClosed(closed) {
  return make("div", {},
    closed.steps ? make("p", { className: "words", textContent: closed.steps }) : null,
    closed.states ? showStates(closed.chain, closed.states) : make("p", { className: "verdict", textContent: closed.label }),
    closed.windows > 1 ? make("p", { className: "fine", textContent: `Mean of ${closed.windows} windows of the sequence.` }) : null,
    showProbabilities(closed.probabilities),
    make("p", { textContent: closed.sureness }),
    make("p", { className: "fine", textContent: closed.measured }));
}

function showAnswer(answer, isNamed) {
  const names = answer.names.join(" and ");
  const head = [isNamed && names ? names : "", answer.task ? `task ${answer.task}` : ""].filter(Boolean).join(" · ");
  const tool = button(COPY, () => copy(answer.text, tool), { className: "small copy" });
  return make("section", { className: "answer" },
    make("div", { className: "row" }, make("h3", { textContent: head || "Answer" }), make("span", { className: "grow" }), tool),
    answer.closed ? showClosed(answer.closed) : make("p", { className: "words", textContent: answer.text || "(nothing)" }));
}

const notice = (text) => make("p", { className: "notice", textContent: text });

/** What was asked; long pasted sequences are shown below it, so the words are cut. */
function showAsked(turn) {
  const words = turn.question.length > ASKED_SHOWN ? `${turn.question.slice(0, ASKED_SHOWN)} …` : turn.question;
  return make("div", { className: "asked" },
    make("h2", { className: "hidden", textContent: "You" }),
    words ? make("p", { className: "words", textContent: words }) : null,
    turn.sequences.length ? null : make("p", { className: "fine", textContent: turn.files.join(", ") }),
    ...turn.sequences.map(showSequence));
}

/** What is done just now, where it is no writing. */
function showDoing({ tool, searching }) {
  if (tool) return showCalling(tool);
  return make("p", { className: "step running", attributes: { role: "status" } },
    searching.length ? `Searching the index for what is like ${searching.join(", ")} …` : "Searching the index …");
}

/** What was said, in a few words for a screen reader. */
export const spoken = (turn) => [
  ...turn.answers.map((answer) => answer.closed ? `${answer.closed.label}. ${answer.closed.sureness}` : answer.text),
  ...(turn.answers.length ? [] : turn.steps.map((step) => step.error || `${step.tool} was called.`)),
  ...(turn.found ? [`${foundCount(turn.found)} in the index.`] : []),
].join("\n") || turn.notices.join("\n");

/** The element of a turn. `again` is called where the user wants to mend what failed. */
export function showTurn(turn, again) {
  const isNamed = turn.answers.length > 1;
  const said = make("div", { className: "said" }, make("h2", { className: "hidden", textContent: "llama-gene" }));
  said.append(
    ...turn.notices.map(notice),
    ...turn.steps.map((step) => showStep(step, !turn.answers.length && !turn.writing, turn.found)),
    ...turn.answers.map((answer) => showAnswer(answer, isNamed)));
  const isOver = turn.stopped || turn.error;
  if (turn.writing && (turn.writing.text || !isOver)) {
    said.append(make("section", { className: "answer" },
      make("p", { className: isOver ? "words" : "words writing", textContent: turn.writing.text })));
  }
  if (turn.doing && !isOver) said.append(showDoing(turn.doing));
  const found = turn.found && showFound(turn.found);
  if (found) said.append(found);
  if (turn.basedOn.length) {
    said.append(make("details", { className: "fine" }, make("summary", { textContent: "What this rests on" }),
      ...turn.basedOn.map((text) => make("p", { textContent: text }))));
  }
  if (turn.stopped) said.append(notice("Stopped. This answer is not remembered."));
  if (turn.error) {
    said.append(make("div", { className: "error", attributes: { role: "alert" } }, make("p", { textContent: turn.error }),
      button("Change and ask again", () => again(turn), { className: "small" })));
  }
  return make("article", { className: "turn" }, showAsked(turn), said);
}
