// The page as a whole: opens, sends, draws, keeps. The server keeps nothing; what a turn left is sent with the next.

import { composed, fill, keptFiles, limitLetters, showBusy, startComposer } from "./composer.js";
import { button, byId, count, make } from "./elements.js";
import { save } from "./exports.js";
import { newTurn, showTurn, spoken, take } from "./log.js";
import { about, setKey, turn as ask } from "./server.js";
import { startTheme } from "./theme.js";
import { startTools, toolEvents } from "./tools.js";

const KEPT = "llama-gene.conversation";
const UNAUTHORISED = 401;
const state = { turns: [], conversation: {}, model: "" };
let running = null;

function keep() {
  try {
    sessionStorage.setItem(KEPT, JSON.stringify({ turns: state.turns, conversation: state.conversation }));
  } catch {
    byId("problem").textContent = "The conversation is too large to be kept over a reload. Export it if you need it.";
  }
}

function restore() {
  try {
    const kept = JSON.parse(sessionStorage.getItem(KEPT) ?? "{}");
    Object.assign(state, { turns: kept.turns ?? [], conversation: kept.conversation ?? {} });
    // A turn that a reload cut off has no answer any more.
    for (const turn of state.turns) turn.stopped ||= !turn.isDone && !turn.error;
    byId("log").replaceChildren(...state.turns.map((turn) => showTurn(turn, again)));
  } catch {
    sessionStorage.removeItem(KEPT);
    state.turns = [];
  }
  byId("welcome").hidden = state.turns.length > 0;
}

const again = (turn) => fill(turn.typed ?? turn.question, turn.again ?? []);

/** Draw a turn anew, in the place of its element: what was opened stays so, and the page follows its end if in sight. */
function redraw(element, turn) {
  const folds = new Map([...element.querySelectorAll("details")].map((fold) => [fold.firstChild.textContent, fold.open]));
  const page = document.scrollingElement;
  const isAtEnd = page.scrollHeight - page.scrollTop - page.clientHeight < 80;
  const drawn = showTurn(turn, again);
  for (const fold of drawn.querySelectorAll("details:not(.step)")) fold.open = folds.get(fold.firstChild.textContent) ?? fold.open;
  element.replaceWith(drawn);
  if (isAtEnd) page.scrollTop = page.scrollHeight;
  return drawn;
}

async function send() {
  if (running) return;
  const made = composed();
  if (!made) return;
  const task = byId("task").value;
  const turn = newTurn(made.words, made.names, task);
  const files = keptFiles();
  fill("");
  running = new AbortController();
  showBusy(true);
  byId("welcome").hidden = true;
  byId("said").textContent = "Answering.";
  state.turns.push(turn);
  keep();
  let element = byId("log").appendChild(showTurn(turn, again));
  document.scrollingElement.scrollTop = document.scrollingElement.scrollHeight;
  try {
    const body = { message: made.message, task: task || null, conversation: state.conversation, tools: byId("agent").checked };
    const called = toolEvents(made.words, made.message, state.conversation, running.signal);
    for await (const event of called ?? ask(body, running.signal)) {
      take(turn, event);
      if (event.type === "reply") state.conversation = event.conversation;
      // The whole turn is drawn once more at its end.
      if (event.type !== "reply") element = redraw(element, turn);
    }
  } catch (error) {
    if (error.name === "AbortError") turn.stopped = true;
    else fail(turn, error, made.words, files);
  }
  turn.isDone = true;
  running = null;
  showBusy(false);
  redraw(element, turn);
  byId("said").textContent = spoken(turn);
  keep();
}

function fail(turn, error, typed, files) {
  turn.error = error.message;
  turn.typed = typed;
  // Files are not kept over a reload.
  Object.defineProperty(turn, "again", { value: files, enumerable: false });
  if (error.status === UNAUTHORISED) askForKey(error.message);
}

const stop = () => running?.abort();

function startNew() {
  stop();
  Object.assign(state, { turns: [], conversation: {} });
  sessionStorage.removeItem(KEPT);
  byId("log").replaceChildren();
  byId("welcome").hidden = false;
  fill("");
}

function askForKey(problem) {
  byId("key-form").hidden = false;
  byId("key-problem").textContent = problem;
  byId("key").focus();
}

const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);

function showTasks(tasks) {
  const families = new Map();
  for (const task of tasks) families.set(task.family, [...(families.get(task.family) ?? []), task]);
  const groups = [...families].map(([family, members]) => make("optgroup", { label: family },
    ...members.map((task) => make("option", { value: task.id, textContent: `Task: ${task.id}`, title: task.title }))));
  byId("task").replaceChildren(byId("task").options[0], ...groups);
  byId("suggestions").replaceChildren(...tasks.slice(0, 6).map((task) => button("", () => {
    byId("task").value = task.id;
    byId("message").focus();
  }, { className: "suggestion" })));
  [...byId("suggestions").children].forEach((choice, place) => choice.append(
    make("b", { textContent: capital(tasks[place].title) }),
    make("span", { textContent: `${tasks[place].inputs.map(({ kind }) => (kind === "dna" ? "DNA" : kind)).join(" + ")} → ${tasks[place].labels.slice(0, 4).join(" · ") || "free text"}` })));
}

function showIndex(index) {
  byId("index").hidden = !index;
  if (!index) return;
  const { "protein records": proteins, "dna records": dna, passages } = index.counts;
  const held = [[proteins, "protein"], [dna, "DNA sequence"], [passages, "passage"]].filter(([number]) => number);
  byId("index").textContent = `index ${index.name}: ${held.map(([number, noun]) => count(number, noun)).join(", ")}`;
}

async function open() {
  try {
    const told = await about();
    state.model = told.model;
    byId("model").textContent = told.model;
    byId("note").textContent = told.note;
    byId("note").hidden = !told.note;
    byId("key-form").hidden = true;
    limitLetters(told.max_message_letters);
    showTasks(told.tasks);
    byId("problem").textContent = "";
    showIndex(told.index);
    await startTools({ send, latestKind: () => [...(state.conversation.waiting ?? []), ...(state.conversation.asked ?? [])].at(0)?.kind });
    restore();
    document.body.dataset.ready = "yes";
  } catch (error) {
    if (error.status === UNAUTHORISED) askForKey(sessionStorage.length ? error.message : "");
    else byId("problem").textContent = error.message;
  }
}

/** A menu closes by Escape, and where something else is clicked. */
function startMenus() {
  for (const menu of document.querySelectorAll("details.menu")) {
    menu.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || !menu.open) return;
      event.stopPropagation();
      menu.open = false;
      menu.querySelector("summary").focus();
    });
    document.addEventListener("click", (event) => { if (!menu.contains(event.target)) menu.open = false; });
  }
}

startTheme();
startMenus();
startComposer({ send, stop });
byId("new").onclick = startNew;
byId("key-form").onsubmit = (event) => {
  event.preventDefault();
  setKey(byId("key").value.trim());
  open();
};
for (const choice of byId("export").querySelectorAll("button")) {
  choice.onclick = () => { save(choice.dataset.format, state.turns, state.model); byId("export").open = false; };
}
open();
