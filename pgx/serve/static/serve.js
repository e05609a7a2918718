"use strict";
const by = (id) => document.getElementById(id);
let chosen = [];

function show() {
  by("chosen").replaceChildren(...chosen.slice(0, 20).map((file) => {
    const item = document.createElement("li");
    item.textContent = file.name;
    return item;
  }));
  if (chosen.length > 20) {
    const item = document.createElement("li");
    item.textContent = `and ${chosen.length - 20} more`;
    by("chosen").append(item);
  }
}

function take(files) {
  chosen = Array.from(files);
  by("error").textContent = "";
  show();
}

by("files").addEventListener("change", (event) => take(event.target.files));
by("folder").addEventListener("change", (event) => take(event.target.files));
for (const kind of ["dragover", "dragleave", "drop"]) {
  document.addEventListener(kind, (event) => {
    event.preventDefault();  // a file dropped beside the field must not replace the page
    by("drop").classList.toggle("over", kind === "dragover");
    if (kind === "drop" && event.dataTransfer.files.length) take(event.dataTransfer.files);
  });
}
document.addEventListener("change", () => {
  for (const place of document.querySelectorAll(".count")) {
    const count = document.querySelectorAll(`input[name=${place.dataset.kind}]:checked`).length;
    place.textContent = count ? `(${count} chosen)` : "";
  }
});

async function ask(method, path, body) {
  let answer;
  try {
    answer = await fetch(path, {method, body});
  } catch {
    throw new Error("pgx no longer answers. Start pgx serve again, and open the address that it prints.");
  }
  const told = await answer.json().catch(() => ({error: "pgx met a fault of its own. Please report it"}));
  if (!answer.ok) throw new Error(told.error);
  return told;
}

function names(kind) {
  const ticked = Array.from(document.querySelectorAll(`input[name=${kind}]:checked`), (box) => box.value);
  const typed = by(`${kind}-more`).value.split(",").map((name) => name.trim()).filter(Boolean);
  return ticked.concat(typed);
}

function options() {
  const told = {taking: names("taking"), history: names("history")};
  for (const name of ["indication", "drug", "population", "assembly"]) told[name] = by(name).value;
  const age = by("age").value.trim().replace(",", ".");
  if (age) {
    told.age = Number(age);
    if (!Number.isFinite(told.age)) throw new Error("The age is no number: give it in years.");
  }
  return told;
}

function link(text, path, label) {
  const made = document.createElement("a");
  made.href = path;
  made.textContent = text;
  made.setAttribute("aria-label", label);
  return made;
}

function read(path, title) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = "Read the report";
  button.setAttribute("aria-label", `Read the report: ${title}`);
  button.addEventListener("click", () => {
    by("report").src = path;
    by("report").title = `Report: ${title}`;
    by("shown").hidden = false;
    by("shown").scrollIntoView();
    by("report").focus();
  });
  return button;
}

function entry(text, parts) {
  const item = document.createElement("li");
  const line = document.createElement("div");
  line.textContent = text;
  const files = document.createElement("div");
  files.className = "files";
  files.append(...parts);
  item.append(line, files);
  return item;
}

function present(told) {
  const base = `result/${told.result}/`;
  const save = (title, name, label) => link(title, `${base}${name}?save`, `${title}: ${label}`);
  const items = told.samples.map(({stem, text}) => entry(text, [
    read(`${base}${stem}.html`, text),
    ...(told.pdf ? [save("PDF", `${stem}.pdf`, text)] : []),
    save("HTML", `${stem}.html`, text),
    save("Hand-out for the patient", `${stem}.handout.html`, text),
    save("JSON", `${stem}.json`, text),
  ]));
  if (told.files.length) {
    const parts = told.files.map((name) => save(name, name, "cohort"));
    items.push(entry("The page and tables of the cohort", [read(`${base}index.html`, "cohort"), ...parts]));
  }
  by("lines").replaceChildren(...items);
  by("shown").hidden = true;
  by("result").hidden = false;
  by("result-title").focus();
}

by("form").addEventListener("submit", async (event) => {
  event.preventDefault();
  by("error").textContent = "";
  by("result").hidden = true;
  if (!chosen.length) {
    by("error").textContent = "No file was chosen.";
    by("files").focus();
    return;
  }
  const total = chosen.reduce((sum, file) => sum + file.size, 0);
  if (total > Number(by("form").dataset.largest)) {
    by("error").textContent = "These files are too large for this page: use pgx annotate in a terminal.";
    return;
  }
  by("go").disabled = true;
  try {
    const told = options();
    told.files = [];
    for (const [number, file] of chosen.entries()) {
      by("status").textContent = `Taking in file ${number + 1} of ${chosen.length} …`;
      const name = encodeURIComponent(file.webkitRelativePath || file.name);
      told.files.push((await ask("PUT", `file?name=${name}`, file)).file);
    }
    by("status").textContent = "Reading …";
    present(await ask("POST", "make", JSON.stringify(told)));
    by("status").textContent = "Done.";
  } catch (error) {
    by("status").textContent = "";
    by("error").textContent = error.message;
  } finally {
    by("go").disabled = false;
  }
});
