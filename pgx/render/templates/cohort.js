"use strict";
const box = document.getElementById("search");
const found = document.getElementById("found");
const rows = [...document.querySelectorAll("#table tbody tr")].map((row) => [row, row.textContent.toLowerCase()]);
box.closest("p").hidden = false;
box.addEventListener("input", () => {
  const wanted = box.value.toLowerCase();
  let count = 0;
  for (const [row, text] of rows) {
    row.hidden = !text.includes(wanted);
    count += row.hidden ? 0 : 1;
  }
  found.textContent = wanted ? `${count} / ${rows.length}` : "";
});
