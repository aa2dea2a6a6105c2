// Light, dark, or as the system says.

import { byId } from "./elements.js";

const KEY = "llama-gene.theme";
const THEMES = { "": ["Auto", "as the system"], light: ["Light", "light"], dark: ["Dark", "dark"] };

function wear(theme) {
  document.documentElement.dataset.theme = theme;
  const [text, name] = THEMES[theme];
  byId("theme").textContent = text;
  byId("theme").setAttribute("aria-label", `Theme: ${name}`);
}

export function startTheme() {
  const kept = localStorage.getItem(KEY) ?? "";
  wear(kept in THEMES ? kept : "");
  byId("theme").onclick = () => {
    const names = Object.keys(THEMES);
    const next = names[(names.indexOf(document.documentElement.dataset.theme) + 1) % names.length];
    localStorage.setItem(KEY, next);
    wear(next);
  };
}
