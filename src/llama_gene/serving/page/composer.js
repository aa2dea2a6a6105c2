// The box where a message is made: words, files as chips, the task, keys, and dropping.

import { button, byId, count, make } from "./elements.js";
import { readFile, readText } from "./sequences.js";

const PASTED_AS_FILE = 2000;
const files = [];
let mostLetters = 1000000;

const problem = (text) => { byId("problem").textContent = text; };

function drawFiles() {
  byId("files").replaceChildren(...files.map((file) => make("li", {},
    `${file.name} · ${count(file.records, "record")} `,
    button("×", () => { files.splice(files.indexOf(file), 1); drawFiles(); byId("message").focus(); },
      { className: "small", attributes: { "aria-label": `Remove ${file.name}` } }))));
}

function add(file) {
  files.push(file);
  drawFiles();
}

async function addFiles(chosen) {
  problem("");
  for (const file of chosen) {
    try {
      add(await readFile(file, mostLetters));
    } catch (error) {
      problem(error.message);
    }
  }
  byId("message").focus();
}

/** A long pasted FASTA becomes a chip, a short one stays text. */
function onPaste(event) {
  if (event.clipboardData.files.length) {
    event.preventDefault();
    addFiles(event.clipboardData.files);
    return;
  }
  const text = event.clipboardData.getData("text").trim();
  if (text.length < PASTED_AS_FILE || !text.startsWith(">")) return;
  try {
    add(readText(text, "pasted"));
    event.preventDefault();
  } catch {
    // No FASTA: pasted as it is.
  }
}

function startDropping() {
  const hasFiles = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
  const show = (isOver) => { byId("drop").hidden = !isOver; };
  window.addEventListener("dragover", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    show(true);
  });
  window.addEventListener("dragleave", (event) => { if (!event.relatedTarget) show(false); });
  window.addEventListener("drop", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    show(false);
    addFiles(event.dataTransfer.files);
  });
}

function grow() {
  const box = byId("message");
  box.style.height = "auto";
  box.style.height = `${Math.min(box.scrollHeight + 2, 240)}px`;
}

/** What is in the box: the words, the names of the files, and all of it as one message. */
export function composed() {
  const words = typed();
  const message = [words, ...files.map((file) => file.text)].filter(Boolean).join("\n\n");
  if (message.length > mostLetters) {
    problem(`The message has ${count(message.length, "letter")}; this server reads ${mostLetters.toLocaleString("en")}.`);
    return null;
  }
  problem(message ? "" : "Type a question, paste a sequence, or add a file.");
  return message ? { words, names: files.map((file) => file.name), message } : null;
}

/** The words in the box. */
export const typed = () => byId("message").value.trim();

export function fill(words, kept = []) {
  byId("message").value = words;
  files.splice(0, files.length, ...kept);
  drawFiles();
  grow();
  byId("message").focus();
}

export const keptFiles = () => [...files];

export function startComposer({ send, stop }) {
  byId("composer").onsubmit = (event) => { event.preventDefault(); send(); };
  byId("message").oninput = grow;
  byId("message").onpaste = onPaste;
  byId("message").onkeydown = (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    send();
  };
  byId("file").onchange = async (event) => { await addFiles([...event.target.files]); event.target.value = ""; };
  byId("stop").onclick = stop;
  window.addEventListener("keydown", (event) => { if (event.key === "Escape") stop(); });
  startDropping();
}

export const limitLetters = (most) => { mostLetters = most; };

/** While an answer is written, Stop stands in the place of Send. */
export function showBusy(isBusy) {
  byId("stop").hidden = !isBusy;
  byId("send").hidden = isBusy;
}
