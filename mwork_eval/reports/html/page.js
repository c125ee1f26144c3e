"use strict";

// Theme: what the system prefers, until the button says otherwise.
const themeButton = document.getElementById("theme");
const prefersDark = matchMedia("(prefers-color-scheme: dark)");
function isDark() {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === "dark" : prefersDark.matches;
}
function showTheme() {
  themeButton.setAttribute("aria-pressed", String(isDark()));
}
themeButton.addEventListener("click", () => {
  document.documentElement.dataset.theme = isDark() ? "light" : "dark";
  showTheme();
});
prefersDark.addEventListener("change", showTheme);
showTheme();

// Tables: numbers sort as numbers, and what is missing comes last either way.
function sortKey(cell) {
  const text = cell.textContent.trim();
  const number = Number.parseFloat(text.replace(/^</, "").replace(/,/g, ""));
  return ["", "–", "…", "none"].includes(text) ? null : Number.isNaN(number) ? text : number;
}
function compare(a, b) {
  if (typeof a === "number" && typeof b === "number") return a - b;
  return String(a).localeCompare(String(b), undefined, { numeric: true });
}
function sortTable(head) {
  const body = head.closest("table").tBodies[0];
  const direction = head.getAttribute("aria-sort") === "ascending" ? -1 : 1;
  for (const other of head.parentNode.children) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", direction === 1 ? "ascending" : "descending");
  const keyed = Array.from(body.rows, (row) => [sortKey(row.cells[head.cellIndex]), row]);
  keyed.sort(([a], [b]) => (a === null || b === null ? (a === null) - (b === null) : direction * compare(a, b)));
  body.append(...keyed.map(([, row]) => row));
}
for (const button of document.querySelectorAll(".sortable thead button")) {
  button.addEventListener("click", () => sortTable(button.closest("th")));
}

// The sign that a region scrolls sideways, where browsers have no scroll timelines for the style sheet to ask.
if (!CSS.supports("animation-timeline: scroll(self inline)")) {
  const content = document.getElementById("content");
  const look = (region) => {
    const beyond = region.scrollWidth - region.clientWidth;
    region.style.setProperty("--hint", beyond > 0 ? "block" : "none");
    region.style.setProperty("--left", beyond > 0 && region.scrollLeft > 1 ? 1 : 0);
    region.style.setProperty("--right", beyond - region.scrollLeft > 1 ? 1 : 0);
  };
  // Whatever unfolds, is filtered or gets another width changes the size of the content.
  new ResizeObserver(() => content.querySelectorAll(".scroll").forEach(look)).observe(content);
  content.addEventListener("scroll", (event) => event.target.classList.contains("scroll") && look(event.target), true);
}
