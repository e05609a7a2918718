"use strict";
// The sample table: search, filter, sort and pages over the rows in #t-data. Only the rows of a page are drawn.
const data = JSON.parse(document.getElementById("t-data").textContent);
const words = data.words;
const table = document.getElementById("samples");
const body = table.tBodies[0];
const heads = [...table.tHead.rows[0].cells];
const search = document.getElementById("search");
const nav = document.getElementById("t-pages");
const FEW = 40, WAIT = 80, SIZES = [50, 100, 500];
const total = data.names.length;
const view = { page: 0, size: SIZES[1], column: -2, down: false, filters: new Map() };
let rows = [];

const plain = (text) => text.toLowerCase().replaceAll("ε", "e").replaceAll("|", "/").trim();
const say = (key, values) => words[key].replace(/\{(\w+)\}/g, (_, name) => values[name]);
const number = (count) => count.toLocaleString("en").replaceAll(",", "\u202f");
const make = (tag, properties) => Object.assign(document.createElement(tag), properties);
const names = data.names.map(plain);
let natural = null; // what sorts names as people do, made when it is first asked for

function matches(column, text) { // by code: whether what stands there is found under the text
  return column.keys.map((keys) => keys.some((key) => (column.loose ? key.includes(text) : key.startsWith(text))));
}

const results = data.columns.flatMap((column) => (column.loose ? [] : column.keys.flat()));

function phrases(text) { // words; those of a result stay together: "no e4" is not "no" in a path and "e4" elsewhere
  const left = text.split(/\s+/), found = [];
  while (left.length) {
    let size = left.length;
    const begun = () => left.slice(0, size).join(" ");
    while (size > 1 && !results.some((key) => key.startsWith(begun()))) size--;
    found.push(begun());
    left.splice(0, size);
  }
  return found;
}

function finder(text) { // a row is found under the whole text in one column, or under each of its phrases
  const one = (part) => {
    const codes = data.columns.map((column) => matches(column, part));
    return (row) => names[row].includes(part) || codes.some((found, place) => found[data.columns[place].codes[row]]);
  };
  const whole = one(text);
  const parts = phrases(text).map(one);
  return parts.length === 1 ? whole : (row) => whole(row) || parts.every((part) => part(row));
}

function bounded(text) { // > 0.99, <= 90 %: a test of numbers; null for what is none
  const found = /^([<>]=?)?\s*([\d.]+)\s*(%?)$/.exec(text);
  if (!found || Number.isNaN(Number(found[2]))) return null;
  const limit = Number(found[2]) / (found[3] ? 100 : 1);
  const tests = { ">": (v) => v > limit, ">=": (v) => v >= limit, "<": (v) => v < limit, "<=": (v) => v <= limit };
  return tests[found[1] || ">="];
}

function filter(place, text) { // a test of rows for what is asked of one column
  if (place < 0) return (row) => names[row].includes(plain(text));
  const column = data.columns[place];
  if (text.startsWith("#")) return (row) => column.codes[row] === Number(text.slice(1));
  if (column.values) {
    const test = bounded(text.trim());
    const good = test && column.values.map((value) => value !== null && test(value));
    return good ? (row) => good[column.codes[row]] : () => true;
  }
  const codes = matches(column, plain(text));
  return (row) => codes[column.codes[row]];
}

function select() {
  const asked = plain(search.value);
  const tests = [...view.filters].map(([place, text]) => filter(place, text));
  if (asked) tests.push(finder(asked));
  rows = [];
  for (let row = 0; row < total; row++) if (tests.every((test) => test(row))) rows.push(row);
  order();
  view.page = 0;
  const count = number(data.samples);
  document.getElementById("found").textContent = rows.length ? say("table_of", { found: number(rows.length), count }) : words.table_none;
  draw();
}

function order() {
  if (view.column < -1) return;
  const codes = view.column >= 0 && data.columns[view.column].codes;
  if (!codes && !natural) natural = names.map((name) => name.replace(/\d+/g, (digits) => digits.padStart(12, "0")));
  const sign = view.down ? -1 : 1;
  rows.sort(codes ? (a, b) => sign * (codes[a] - codes[b]) || a - b
    : (a, b) => (natural[a] < natural[b] ? -sign : natural[a] > natural[b] ? sign : a - b));
}

function draw() {
  const first = view.page * view.size;
  const shown = rows.slice(first, first + view.size);
  body.replaceChildren(...shown.map((row, place) => {
    const line = make("tr", {});
    line.setAttribute("aria-rowindex", first + place + 3);
    const head = make("th", { scope: "row" });
    const report = data.reports && data.reports[row];
    head.append(report ? make("a", { href: report, textContent: data.names[row] }) : data.names[row]);
    line.append(head, ...data.columns.map((column) => make("td", { textContent: column.labels[column.codes[row]] })));
    return line;
  }));
  table.setAttribute("aria-rowcount", rows.length + 2);
  const last = Math.max(0, Math.ceil(rows.length / view.size) - 1);
  for (const [button, target] of buttons) {
    const page = target(last);
    button.setAttribute("aria-disabled", page === view.page || page < 0 || page > last);
  }
  place.textContent = say("table_rows", { from: number(rows.length ? first + 1 : 0), to: number(first + shown.length), found: number(rows.length) });
}

function sort(column) { // up, down, and as the table came
  if (view.column !== column) [view.column, view.down] = [column, false];
  else if (!view.down) view.down = true;
  else view.column = -2;
  heads.forEach((head, index) => {
    if (index - 1 === view.column) head.setAttribute("aria-sort", view.down ? "descending" : "ascending");
    else head.removeAttribute("aria-sort");
  });
  if (view.column < -1) select();
  else { order(); view.page = 0; draw(); }
}

let waiting = 0;
function later() {
  clearTimeout(waiting);
  waiting = setTimeout(select, WAIT);
}

function field(place, name) { // what filters a column: a list of what stands there, or a box
  const column = data.columns[place];
  const few = column && !column.values && column.labels.length <= FEW;
  const made = make(few ? "select" : "input", {});
  if (few) {
    made.append(make("option", { value: "", textContent: words.table_all }));
    column.labels.forEach((label, code) => made.append(make("option", { value: "#" + code, textContent: label || "–" })));
  } else Object.assign(made, { type: "search", autocomplete: "off", placeholder: column && column.values ? words.table_at_least : "" });
  made.setAttribute("aria-label", say("table_filter", { column: name }));
  made.addEventListener("input", () => {
    const text = made.value;
    if (text.trim()) view.filters.set(place, text);
    else view.filters.delete(place);
    if (column && column.values) made.setAttribute("aria-invalid", Boolean(text.trim()) && !bounded(text.trim()));
    later();
  });
  return made;
}

const place = make("span", {});
place.setAttribute("aria-live", "polite");
const buttons = [
  ["table_first_page", () => 0], ["table_previous", () => view.page - 1],
  ["table_next", () => view.page + 1], ["table_last_page", (last) => last],
].map(([key, target]) => {
  const button = make("button", { type: "button", textContent: words[key] });
  button.addEventListener("click", () => {
    if (button.getAttribute("aria-disabled") === "true") return;
    view.page = target(Math.max(0, Math.ceil(rows.length / view.size) - 1));
    draw();
    table.parentElement.scrollTop = 0;
  });
  return [button, target];
});
const size = make("select", { id: "t-size" });
for (const each of SIZES) size.append(make("option", { value: each, textContent: each, selected: each === view.size }));
size.addEventListener("change", () => { view.size = Number(size.value); view.page = 0; draw(); });
nav.append(buttons[0][0], buttons[1][0], place, buttons[2][0], buttons[3][0], make("label", { htmlFor: "t-size", textContent: words.table_size }), size);

const filters = make("tr", { className: "filters" });
heads.forEach((head, index) => {
  const name = head.textContent;
  const button = make("button", { type: "button", textContent: name });
  button.addEventListener("click", () => sort(index - 1));
  head.replaceChildren(button);
  const cell = make("td", {});
  cell.append(field(index - 1, name));
  filters.append(cell);
});
table.tHead.append(filters);
search.addEventListener("input", later);
document.getElementById("t-clear").addEventListener("click", () => {
  search.value = "";
  view.filters.clear();
  for (const each of filters.querySelectorAll("input, select")) { each.value = ""; each.removeAttribute("aria-invalid"); }
  search.focus();
  select();
});
for (const id of ["t-tools", "t-pages"]) document.getElementById(id).hidden = false;
document.getElementById("t-note").hidden = true;
select();
