"use strict";
const box = document.getElementById("search");
box.closest("p").hidden = false;
box.addEventListener("input", () => {
  const wanted = box.value.toLowerCase();
  for (const row of document.querySelectorAll("#table tbody tr")) {
    row.hidden = !row.textContent.toLowerCase().includes(wanted);
  }
});
