
// The cells of the ranked table; every number leads to the page it is from.
const cells = (() => {
  const { element, changesIn, maskOfRow, number, span } = draw;
  const nothing = (class_ = "unsure") => element("td", { class: class_ }, "–");

  // Shades are by the best and the worst of a column; what is better is stronger.
  function shader(contest, column) {
    const values = column.shown.map(([, value]) => value);
    const [low, high] = [Math.min(...values), Math.max(...values)];
    return (value) => {
      const share = high > low ? (value - low) / (high - low) : 0.5;
      return `${Math.round(48 * (contest.higher ? share : 1 - share))}%`;
    };
  }
  function headCell({ key, text, title }, { sort, dir }) {
    if (key === null) return element("th", { scope: "col", class: text === "Ties" ? "plain tie" : "plain text" }, text);
    const button = element("button", { type: "button", "data-sort": key, title }, text);
    const sorted = sort === key ? (dir === "asc" ? "ascending" : "descending") : null;
    return element("th", { scope: "col", class: key === "name" ? "name" : null, "aria-sort": sorted }, button);
  }
  function nameCell(row) {
    const small = [maskOfRow(row), row.weights && `weights ${row.weights}`].filter(Boolean).join(" · ");
    const link = element("a", { href: row.href }, element("bdi", {}, row.name));
    return element("th", { scope: "row" }, link, small && element("small", {}, small));
  }
  function meanCell(contest, field, entry) {
    if (entry.mean === null) return nothing();
    if (!entry.complete) return element("td", { class: "unsure" }, number(entry.mean, contest.unit), element("small", {}, ` no ${entry.missing.join(", ")}`));
    const half = ranking.halfWidth(field, entry);
    const link = element("a", { href: contest.href }, number(entry.mean, contest.unit));
    const width = half === null ? null : element("small", { title: "half the width of its 95 % interval" }, ` ±${number(half, contest.unit)}`);
    return element("td", {}, link, width);
  }
  function scoreCell(contest, { value, error }, shade, column, short) {
    const text = short && contest.unit === "points" ? value.toFixed(0) : number(value, contest.unit);
    const title = `${column.name}: ${number(value, contest.unit)}${error === null ? "" : `, standard error ${number(error, contest.unit)}`}`;
    const cell = element("td", { class: "shade", title }, element("a", { href: contest.href }, text));
    cell.style.setProperty("--share", shade(value));
    return cell;
  }
  function changeCell([byLanguage, delta, low, high], change, row) {
    const unsure = low === null || (low <= 0 && high >= 0);
    const interval = low === null ? "no interval" : span(low, high, change.unit);
    const link = element("a", { href: row.href }, number(delta, change.unit, true));
    const small = element("small", {}, ` ${interval}${unsure && low !== null ? " incl. 0" : ""}`);
    return element("td", { title: changesIn(byLanguage, change.unit) || null }, element("span", { class: unsure ? "unsure" : null }, link, small));
  }

  return { changeCell, headCell, meanCell, nameCell, nothing, scoreCell, shader };
})();
