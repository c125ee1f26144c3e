
// The ranked table: what the controls choose, what the address says, and the rows.
(() => {
  const { element, sparkline, titleOfRow } = draw;
  const { ANY, NO_LANGUAGE, SIZES, sizeOf, usualDirection, usualLanguages } = choices;
  const front = JSON.parse(document.getElementById("front").textContent);
  const board = document.getElementById("board");
  if (!front.contests.length) return;
  board.hidden = false;
  const table = document.getElementById("ranked");
  const status = board.querySelector(".count");
  const more = document.getElementById("more");
  const SLICE = 20; // milliseconds of work between two chances to answer the reader
  const FIRST_ROWS = 100;

  const contests = choices.contestsOf(front);
  const families = choices.familiesOf(front);
  const searched = front.rows.map((row) => `${row.name} ${row.family ?? ""} ${row.mask ?? ""}`.toLowerCase());
  let state = {};
  let contest = null;
  let chosen = null; // the row whose ties are marked, if the reader chose one
  let lines = []; // one a row of the table
  let drawRow = null;
  let most = FIRST_ROWS;
  let field = null;
  let ranges = new Map();
  let running = 0;
  const known = new Map(); // fields and ranks by contest, languages and masks

  // Address.
  let address = location.hash;
  function said(replaced) {
    address = choices.addressOf(contest, state, contests);
    document.getElementById("link").href = address;
    if (address === location.hash || (address === "#" && !location.hash)) return;
    history[replaced ? "replaceState" : "pushState"](null, "", address);
  }
  // Controls.
  const control = (name) => board.querySelector(`[data-state="${name}"]`);
  function fillSelect(name, options, value) {
    const select = control(name);
    select.replaceChildren(...options.map(([key, text]) => element("option", { value: key }, text)));
    select.value = value;
    select.closest("label").hidden = options.length < 2 && name !== "benchmark"; // the legend does not name it
  }
  function showControls() {
    const different = (some, what) => [...new Set(some.map((one) => one[what]))].map((text) => [text, text]);
    const ofBenchmark = contests.filter((one) => one.benchmark === contest.benchmark);
    const asked = ofBenchmark.filter((one) => one.prompting === contest.prompting);
    fillSelect("benchmark", different(contests, "benchmark"), contest.benchmark);
    fillSelect("prompting", different(ofBenchmark, "prompting"), contest.prompting);
    fillSelect("documents", different(asked, "documents"), contest.documents);
    fillSelect("family", [[ANY, "any"], ...families.map((one) => [one, one])], state.family);
    const sizes = new Set(front.rows.map(sizeOf));
    fillSelect("size", [[ANY, "any"], ...SIZES.filter(([key]) => sizes.has(key))], state.size);
    control("size").closest("label").hidden = sizes.size < 2;
    control("family").closest("label").hidden = families.length < 2;
    control("masked").checked = state.masked;
    control("masked").closest("label").hidden = !front.rows.some((row) => row.mask);
    if (control("q").value.trim() !== state.q) control("q").value = state.q;
    for (const button of board.querySelectorAll("[data-view]")) {
      button.setAttribute("aria-pressed", String(button.dataset.view === state.view));
    }
    const boxes = contest.columns.map((column) => {
      const box = element("input", { type: "checkbox", value: column.language });
      box.checked = state.languages.includes(column.language);
      return element("label", {}, box, column.name);
    });
    document.getElementById("languages").hidden = boxes.length < 2;
    const shown = board.querySelector(".choices");
    const focused = shown.contains(document.activeElement) ? document.activeElement.value : null;
    shown.replaceChildren(...boxes);
    if (focused) shown.querySelector(`[value="${CSS.escape(focused)}"]`)?.focus();
  }

  // Columns of the table.
  function headings() {
    const heat = state.view === "heat";
    const columns = contest.columns.filter((column) => heat || state.languages.includes(column.language));
    const found = [
      { key: "rank", text: "Rank", title: "A range where models cannot be told apart" },
      { key: "name", text: "Model" },
    ];
    if (!heat) found.push({ key: null, text: "Ties" }, { key: "mean", text: "Mean" });
    for (const column of columns) {
      found.push({ key: column.language, text: column.language === NO_LANGUAGE ? column.name : column.language, title: `${column.name}: ${column.task}, ${column.documents} documents`, column });
    }
    if (heat) return found;
    for (const change of contest.changes) {
      found.push({ key: `delta:${change.label}`, text: `∆ ${change.label}`, title: `Change of the pivot minus change of the others, in ${change.unit}`, change });
    }
    if (front.rows.some((row) => Object.keys(row.layers).length)) found.push({ key: null, text: "Neurons by layer" });
    return found;
  }
  function showHead() {
    table.tHead.replaceChildren(element("tr", {}, ...headings().map((one) => cells.headCell(one, state))));
  }

  // Rows: what they sort by for all of them, their cells for those that are drawn.
  function buildRows() {
    const shown = headings();
    const columns = shown.filter((one) => one.column).map(({ column }) => ({
      column,
      shade: cells.shader(contest, column),
      values: new Map(column.shown.map(([row, value, error]) => [row, { value, error }])),
    }));
    const changes = shown.filter((one) => one.change).map(({ key, change }) => ({
      key, change, values: new Map(change.values.map(([row, ...rest]) => [row, rest])),
    }));
    const withLayers = shown.some((one) => one.text === "Neurons by layer");
    lines = [...field.rows.values()].map((entry) => {
      const row = front.rows[entry.row];
      const keys = { name: row.name, mean: entry.mean };
      for (const { column, values } of columns) keys[column.language] = values.get(entry.row)?.value ?? null;
      for (const { key, values } of changes) keys[key] = values.get(entry.row)?.[1] ?? null;
      return { entry, row, keys, matches: true, node: null, rank: null, button: null };
    });
    drawRow = (line) => {
      const { entry, row } = line;
      line.rank = element("td", { class: "rank" });
      line.node = element("tr", {}, line.rank, cells.nameCell(row));
      if (state.view === "table") {
        line.button = element("button", { type: "button", "data-row": entry.row, "aria-pressed": "false" });
        line.node.append(element("td", { class: "tie" }, line.button), cells.meanCell(contest, field, entry));
      }
      for (const { column, shade, values } of columns) {
        const one = values.get(entry.row);
        line.node.append(one ? cells.scoreCell(contest, one, shade, column, state.view === "heat") : cells.nothing("shade unsure"));
      }
      for (const { change, values } of changes) {
        const one = values.get(entry.row);
        line.node.append(one ? cells.changeCell(one, change, row) : cells.nothing());
      }
      if (withLayers) line.node.append(element("td", { class: "text" }, sparkline(row.layers, drawnLanguages())));
    };
    table.classList.toggle("heatmap", state.view === "heat");
  }
  function drawnLanguages() {
    if (contest.columns.some((column) => column.language !== NO_LANGUAGE)) return state.languages;
    return [...new Set(front.rows.flatMap((row) => Object.keys(row.layers)))].sort();
  }
  // Order, filters, ties.
  function keyOf(line) {
    if (state.sort !== "rank") return line.keys[state.sort] ?? null;
    return line.entry.mean === null ? null : (contest.higher ? -1 : 1) * line.entry.mean;
  }
  function arrange() {
    const direction = state.dir === "asc" ? 1 : -1;
    const text = state.q.toLowerCase();
    const keyed = lines.map((line) => [keyOf(line), line]);
    const byRank = state.sort === "rank" || state.sort === "mean";
    const order = new Intl.Collator("en", { numeric: true }).compare;
    keyed.sort(([a, one], [b, other]) => {
      if (byRank && one.entry.complete !== other.entry.complete) return one.entry.complete ? -1 : 1;
      if (a === null || b === null) return (a === null) - (b === null);
      return direction * (typeof a === "string" ? order(a, b) : a - b);
    });
    lines = keyed.map(([, line]) => line);
    for (const line of lines) {
      const { row, entry } = line;
      line.matches =
        (row.mask === null || state.masked) &&
        (state.family === ANY || row.family === state.family) &&
        (state.size === ANY || sizeOf(row) === state.size) &&
        searched[entry.row].includes(text);
    }
    showRows();
  }
  // A browser takes long to lay out a thousand rows of a table: it has the first, and the others when asked for.
  function showRows() {
    const matching = lines.filter((line) => line.matches);
    const drawn = matching.slice(0, most);
    for (const line of drawn) if (line.node === null) drawRow(line);
    table.tBodies[0].replaceChildren(...drawn.map((line) => line.node));
    more.hidden = matching.length <= most;
    const others = matching.length - drawn.length;
    more.textContent = others === 1 ? "Show the other row" : `Show the other ${others.toLocaleString("en")} rows`;
    markTies();
    writeRanks();
  }
  function markTies() {
    const note = document.getElementById("reference");
    const ranked = lines.filter((line) => line.entry.complete && line.matches);
    const reference = ranked.find((line) => line.entry.row === chosen) ?? ranked[0] ?? null;
    note.hidden = reference === null || ranked.length < 2 || state.view === "heat";
    if (state.view === "heat") return;
    const ties = reference === null ? new Map() : tiesOf(reference.entry);
    const name = reference === null ? "" : titleOfRow(reference.row);
    let tied = 0;
    for (const { entry, row, matches, node, button } of lines) {
      const own = entry === reference?.entry;
      const same = !own && ties.get(entry.row) === true;
      tied += matches && same;
      if (node === null) continue;
      button.hidden = reference === null || !entry.complete;
      node.className = own ? "chosen" : same ? "tied" : "apart";
      button.textContent = own ? "●" : same ? "≈" : "≠";
      button.setAttribute("aria-pressed", String(own));
      const said = own ? "ties are marked with this model" : same ? `cannot be told from ${name}` : `told from ${name}`;
      button.setAttribute("aria-label", `${titleOfRow(row)}: ${said}${own ? "" : ". Mark its ties instead"}`);
      button.title = own ? said : `${said}; press to mark the ties of ${titleOfRow(row)}`;
    }
    if (reference === null) return;
    const told = ranked.length === 2 ? "The other ranked row shown is told apart from " : "All other ranked rows shown are told apart from ";
    const count = `${tied.toLocaleString("en")} row${tied === 1 ? "" : "s"} shown, marked ≈, cannot be told apart from `;
    note.replaceChildren(
      tied === 0 ? told : count,
      element("strong", {}, element("bdi", {}, name)),
      chosen === reference.entry.row ? ", which you chose. " : ", the first of the table. ",
      "The button of a row marks its ties instead.",
    );
  }
  function tiesOf(entry) {
    field.ties ??= new Map();
    if (!field.ties.has(entry.row)) {
      const rest = [...field.rows.values()].filter((other) => other.complete && other !== entry);
      field.ties.set(entry.row, new Map(rest.map((other) => [other.row, !ranking.toldApart(field, entry, other)])));
    }
    return field.ties.get(entry.row);
  }

  // Ranks, a slice at a time; the table can be used meanwhile.
  function computeRanks() {
    const key = [contests.indexOf(contest), state.languages.join(","), state.masked].join("|");
    const turn = ++running;
    ranges = known.get(key) ?? new Map();
    if (known.has(key)) return showRanks(true);
    const entries = [...field.rows.values()].filter((entry) => entry.complete && (state.masked || front.rows[entry.row].mask === null));
    entries.sort((one, other) => (contest.higher ? other.mean - one.mean : one.mean - other.mean));
    const slices = ranking.rankSlices(field, entries);
    const step = () => {
      if (turn !== running) return;
      const until = performance.now() + SLICE;
      let slice = slices.next();
      while (!slice.done && performance.now() < until) slice = slices.next();
      ranges = slice.value;
      if (slice.done) known.set(key, ranges);
      else setTimeout(step);
      showRanks(slice.done);
    };
    step();
  }
  function showRanks(done) {
    writeRanks();
    showStatus(done);
  }
  function writeRanks() {
    for (const { entry, row, rank } of lines) {
      if (rank === null) continue;
      const range = ranges.get(entry.row);
      const ranked = entry.complete && (state.masked || row.mask === null);
      const text = !ranked ? "–" : !range ? "…" : range[0] === range[1] ? `${range[0]}` : `${range[0]}–${range[1]}`;
      if (rank.textContent === text) continue;
      rank.textContent = text;
      rank.title = !ranked
        ? `not ranked: no score in ${entry.missing.join(", ") || "any language"}`
        : !range ? "being computed"
        : range[0] === range[1] ? "told apart from all others"
        : `${range[0] - 1} told to be better; may be as low as ${range[1]}`;
    }
  }
  function showStatus(done) {
    const shown = lines.filter((line) => line.matches).length;
    const ranked = ranges.size.toLocaleString("en");
    const count = `${shown.toLocaleString("en")} of ${lines.length.toLocaleString("en")} rows`;
    const text = done ? `${count}; ranks among ${ranked}` : `${count}; ranks are being computed`;
    if (status.textContent !== text) status.textContent = text;
    board.dataset.ranked = String(done);
  }
  function showLegend() {
    const better = contest.higher ? "higher is better" : "lower is better";
    const withNeurons = new Set(front.rows.flatMap((row) => Object.keys(row.layers)));
    const swatches = drawnLanguages().flatMap((language, place) =>
      withNeurons.has(language) ? [element("span", { class: `key line${place % 10}` }), ` ${language} `] : [],
    );
    const heat = state.view === "heat";
    document.getElementById("legend").replaceChildren(
      `${contest.metric} in ${contest.unit}, ${better}; ${contest.prompting}; ${contest.label}. The stronger its shade, the better a score is in its column. `,
      contest.unpaired ? "Some answers are not on this page, as it would be too large: their rows are compared by standard errors. " : "",
      heat ? "All languages of the benchmark. Ranks are over the languages chosen above. " : "A rank is a range where the documents cannot tell models apart by the 95 % interval of their difference; ± is half the 95 % interval of a mean. ",
      !heat && contest.changes.length ? "∆: change of the pivot minus change of the other languages when neurons are switched off; “incl. 0”: its interval includes 0. " : "",
      ...(!heat && headings().some((one) => one.text === "Neurons by layer") ? ["Neurons by layer, first to last, each row to its own height: ", ...swatches] : []),
    );
    const pair = lines.filter((line) => line.entry.complete && line.matches).slice(0, 2).map((line) => line.row.slug);
    const query = new URLSearchParams([["a", pair[0]], ["b", pair[1]], ["benchmark", contest.benchmark]].filter(([, one]) => one));
    document.getElementById("compare").href = `compare/index.html#${query}`;
  }
  function showAll() {
    const key = [contests.indexOf(contest), state.languages.join(",")].join("|");
    if (!known.has(key)) known.set(key, ranking.fieldOf(contest, state.languages));
    field = known.get(key);
    showControls();
    showHead();
    buildRows();
    arrange();
    computeRanks();
    showLegend();
  }
  function showOrder() {
    arrange();
    for (const head of table.tHead.rows[0].cells) {
      const key = head.querySelector("button")?.dataset.sort;
      if (key === state.sort) head.setAttribute("aria-sort", state.dir === "asc" ? "ascending" : "descending");
      else head.removeAttribute("aria-sort");
    }
    showStatus(board.dataset.ranked === "true");
    showLegend();
  }

  // What the reader does.
  const form = board.querySelector("form");
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("input", (event) => {
    const name = event.target.dataset.state;
    if (name === "q") {
      state.q = event.target.value.trim();
      showOrder();
      return said(true);
    }
    if (["family", "size"].includes(name)) {
      state[name] = event.target.value;
      showOrder();
      return said(false);
    }
    if (name === "masked") {
      state.masked = event.target.checked;
      showOrder();
      computeRanks();
      return said(false);
    }
    if (name) {
      const had = state.languages.join() === usualLanguages(contest).join() ? [] : state.languages;
      const wanted = choices.STEPS.map((what) => [what, what === name ? event.target.value : contest[what]]);
      contest = choices.nearest(contests, Object.fromEntries(wanted));
      const kept = contest.columns.map((column) => column.language).filter((language) => had.includes(language));
      state.languages = kept.length ? kept : usualLanguages(contest);
    } else {
      const boxes = [...board.querySelectorAll(".choices input")];
      state.languages = boxes.filter((box) => box.checked).map((box) => box.value);
    }
    changed();
  });
  function changed() {
    if (!choices.isColumn(contest, state, state.sort)) [state.sort, state.dir] = ["rank", "asc"];
    showAll();
    said(false);
  }
  for (const button of board.querySelectorAll("[data-languages]")) {
    button.addEventListener("click", () => {
      state.languages = button.dataset.languages === "all" ? contest.columns.map((column) => column.language) : [];
      changed();
    });
  }
  for (const button of board.querySelectorAll("[data-view]")) {
    button.addEventListener("click", () => {
      state.view = button.dataset.view;
      changed();
    });
  }
  table.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button?.dataset.sort) {
      const key = button.dataset.sort;
      const other = { asc: "desc", desc: "asc" };
      [state.sort, state.dir] = [key, key === state.sort ? other[state.dir] : usualDirection(contest, key)];
      showOrder();
      said(false);
    } else if (button?.dataset.row) {
      const row = Number(button.dataset.row);
      chosen = chosen === row ? null : row;
      markTies();
    }
  });
  document.getElementById("link").addEventListener("click", (event) => {
    event.preventDefault();
    said(false);
    const told = (text) => (status.textContent = text);
    const copied = navigator.clipboard?.writeText(location.href) ?? Promise.reject();
    copied.then(() => told("The link is copied"), () => told("The address bar has the link"));
  });
  function visited() {
    if (location.hash === address) return;
    address = location.hash;
    [contest, state] = choices.read(location.hash, contests, front);
    showAll();
    document.getElementById("link").href = choices.addressOf(contest, state, contests);
  }
  more.addEventListener("click", () => {
    const next = table.tBodies[0].rows.length;
    most = Infinity;
    showRows();
    table.tBodies[0].rows[next]?.querySelector("a").focus();
  });
  addEventListener("hashchange", visited);
  addEventListener("popstate", visited);

  [contest, state] = choices.read(location.hash, contests, front);
  showAll();
  document.getElementById("link").href = choices.addressOf(contest, state, contests);
})();
