// A result as a reader wants it: names with their values, rows as a table, the rest as JSON to open.

import { count, make } from "./elements.js";

const MOST_ROWS = 200;
const SHORT_LETTERS = 60;

const isPlain = (value) => value === null || typeof value !== "object";

const plain = (value) => {
  if (value === null) return "–";
  if (typeof value === "number" && !Number.isInteger(value)) return String(Number(value.toPrecision(6)));
  return String(value);
};

const asJson = (value, told) => make("details", {}, make("summary", { textContent: told }),
  make("pre", { textContent: JSON.stringify(value, null, 1), tabIndex: 0 }));

const isRow = (value) => !isPlain(value) && !Array.isArray(value) && Object.values(value).every(isPlain);

function table(rows) {
  const names = [...new Set(rows.flatMap(Object.keys))];
  const shown = rows.slice(0, MOST_ROWS);
  return make("div", { className: "scroll", tabIndex: 0, attributes: { role: "region", "aria-label": "Table" } },
    make("table", {},
      make("thead", {}, make("tr", {}, ...names.map((name) => make("th", { scope: "col", textContent: name.replaceAll("_", " ") })))),
      make("tbody", {}, ...shown.map((row) => make("tr", {}, ...names.map((name) =>
        make("td", { className: typeof row[name] === "number" ? "number" : "", textContent: plain(row[name] ?? null) })))))),
    rows.length > shown.length ? make("p", { className: "fine", textContent: `and ${count(rows.length - shown.length, "more row")}` }) : null);
}

function list(values) {
  if (!values.length) return make("span", { textContent: "none" });
  if (values.every(isRow)) return table(values);
  const text = values.every(isPlain) ? values.map(plain).join(", ") : "";
  return text && text.length <= 4 * SHORT_LETTERS ? make("span", { textContent: text }) : asJson(values, count(values.length, "value"));
}

/** Any JSON value. */
export function showValue(value) {
  if (isPlain(value)) return make("span", { className: String(value).length > SHORT_LETTERS ? "letters" : "", textContent: plain(value) });
  if (Array.isArray(value)) return list(value);
  const parts = Object.entries(value).filter(([, part]) => part !== "");
  if (!parts.length) return make("span", { textContent: "none" });
  return make("dl", {}, ...parts.flatMap(([name, part]) => [make("dt", { textContent: name.replaceAll("_", " ") }), make("dd", {}, showValue(part))]));
}
