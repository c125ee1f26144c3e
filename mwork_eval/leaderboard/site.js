
// Rows of the tables below the filter, by text and by mask.
const filters = document.querySelector(".filters");
function showRows() {
  const text = filters.querySelector('[data-rows="text"]').value.trim().toLowerCase();
  const onlyUnmasked = filters.querySelector('[data-rows="unmasked"]')?.checked;
  let shown = 0;
  for (const row of document.querySelectorAll(".sortable tbody tr")) {
    if (!(filters.compareDocumentPosition(row) & Node.DOCUMENT_POSITION_FOLLOWING)) continue;
    row.hidden = (onlyUnmasked && "masked" in row.dataset) || !row.textContent.toLowerCase().includes(text);
    shown += !row.hidden;
  }
  filters.querySelector(".count").textContent = `${shown.toLocaleString("en")} ${shown === 1 ? "row" : "rows"}`;
}
if (filters) {
  filters.addEventListener("submit", (event) => event.preventDefault());
  filters.addEventListener("input", showRows);
  showRows();
}

// What pages that build their tables share: elements, numbers in words, small drawings.
const draw = (() => {
  const SVG = "http://www.w3.org/2000/svg";

  function element(name, attributes = {}, ...content) {
    return filled(document.createElement(name), attributes, content);
  }
  function drawn(name, attributes = {}, ...content) {
    return filled(document.createElementNS(SVG, name), attributes, content);
  }
  function filled(node, attributes, content) {
    for (const [name, value] of Object.entries(attributes)) {
      if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value === true ? "" : value);
    }
    node.append(...content.filter((one) => one !== null && one !== undefined && one !== ""));
    return node;
  }

  // As many digits as a reader compares: points and percent with one, bits per byte with three.
  function number(value, unit, sign = false) {
    const digits = unit.startsWith("points") || unit.startsWith("percent") ? 1 : 3;
    const text = Math.abs(value).toFixed(digits);
    if (Number(text) === 0) return text;
    return `${value < 0 ? "−" : sign ? "+" : ""}${text}`;
  }
  function span(low, high, unit) {
    return `[${number(low, unit)}, ${number(high, unit)}]`;
  }

  // ∆ by mask language in words; nothing where one language is all there is.
  function changesIn(byLanguage, unit) {
    const each = Object.entries(byLanguage ?? {});
    return each.length > 1 ? each.map(([language, delta]) => `${language} ${number(delta, unit, true)}`).join(", ") : "";
  }

  // Neurons of some languages by layer, and the same in words.
  function sparkline(layers, languages, width = 110, height = 26) {
    const shown = languages.filter((language) => layers[language]?.length);
    if (!shown.length) return element("span", { class: "unsure" }, "–");
    const most = Math.max(1, ...shown.flatMap((language) => layers[language]));
    const told = shown.map((language) => {
      const counts = layers[language];
      const total = counts.reduce((sum, one) => sum + one, 0);
      const peak = counts.indexOf(Math.max(...counts));
      return `${language} ${total.toLocaleString("en")}${total ? `, most in layer ${peak}` : ""}`;
    });
    const label = `Neurons by layer, of ${layers[shown[0]].length} layers: ${told.join("; ")}`;
    const lines = shown.map((language) => {
      const counts = layers[language];
      const across = (layer) => (counts.length > 1 ? (layer / (counts.length - 1)) * width : width / 2);
      const points = counts.map((count, layer) => `${across(layer).toFixed(1)},${(height - 2 - (count / most) * (height - 4)).toFixed(1)}`);
      return drawn("polyline", { points: points.join(" "), class: `line line${languages.indexOf(language) % 10}` });
    });
    const base = drawn("line", { x1: 0, x2: width, y1: height - 1, y2: height - 1, class: "grid" });
    const size = { viewBox: `0 0 ${width} ${height}`, width, height, class: "spark", role: "img", "aria-label": label };
    return drawn("svg", size, drawn("title", {}, label), base, ...lines);
  }

  // What a row is called, and what was done to its neurons.
  function maskOfRow(row) {
    return row.mask && (row.changed ? row.mask : `without ${row.mask}`);
  }
  function titleOfRow(row) {
    return [row.name + (row.changed ? "," : ""), maskOfRow(row), row.weights && `(${row.weights})`].filter(Boolean).join(" ");
  }

  return { changesIn, drawn, element, maskOfRow, number, span, sparkline, titleOfRow };
})();
