
// Rows of all tables, by text and by mask.
const filters = document.querySelector(".filters");
function showRows() {
  const text = filters.querySelector('[data-rows="text"]').value.trim().toLowerCase();
  const onlyUnmasked = filters.querySelector('[data-rows="unmasked"]')?.checked;
  let shown = 0;
  for (const row of document.querySelectorAll(".sortable tbody tr")) {
    row.hidden = (onlyUnmasked && "masked" in row.dataset) || !row.textContent.toLowerCase().includes(text);
    shown += !row.hidden;
  }
  filters.querySelector(".count").textContent = `${shown.toLocaleString("en")} ${shown === 1 ? "row" : "rows"}`;
}
filters.addEventListener("submit", (event) => event.preventDefault());
filters.addEventListener("input", showRows);
showRows();
