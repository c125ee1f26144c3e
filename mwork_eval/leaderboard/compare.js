
// Two rows beside each other: by language over the same documents, with the interval of their difference.
(() => {
  const { changesIn, element, maskOfRow, number, span, sparkline, titleOfRow } = draw;
  const front = JSON.parse(document.getElementById("front").textContent);
  const page = document.getElementById("compared");
  if (!front.contests.length) return;
  page.hidden = false;
  const status = page.querySelector(".count");
  const side = (name) => page.querySelector(`[data-side="${name}"]`);
  const titles = new Map(); // of each row, in words that no other has
  for (const [place, row] of front.rows.entries()) {
    const title = titleOfRow(row);
    titles.set(titles.has(title) ? `${title} · ${row.slug}` : title, place);
  }
  const titleAt = new Map([...titles].map(([title, place]) => [place, title]));
  const benchmarks = [...new Set(front.contests.map((contest) => contest.benchmark))];
  document.getElementById("rows").append(...[...titles.keys()].map((value) => element("option", { value })));
  side("benchmark").append(element("option", { value: "" }, "all"), ...benchmarks.map((value) => element("option", { value }, value)));
  let state = { a: null, b: null, benchmark: "" };
  let address = "";

  const columnWith = (contest, row) => contest.columns.filter((column) => column.shown.some(([one]) => one === row));
  const rowsOf = (contest) => [...new Set(contest.columns.flatMap((column) => column.shown.map(([row]) => row)))];
  const takesPart = (contest, row) => columnWith(contest, row).length > 0;
  function rowBy(key) {
    const place = front.rows.findIndex((row) => row.slug === key);
    return place >= 0 ? place : null;
  }
  function readState() {
    const found = new URLSearchParams(location.hash.slice(1));
    const benchmark = benchmarks.includes(found.get("benchmark")) ? found.get("benchmark") : "";
    const of = (contest) => !benchmark || contest.benchmark === benchmark;
    state = { a: rowBy(found.get("a")), b: rowBy(found.get("b")), benchmark };
    const some = front.contests.filter((contest) => !benchmark || contest.benchmark === benchmark);
    const others = (row) => some.filter((one) => takesPart(one, row)).flatMap(rowsOf).filter((one) => one !== row);
    const best = (contest) => contest.columns[0].shown.map(([row, value]) => [contest.higher ? -value : value, row]).sort(([a], [b]) => a - b);
    if (state.a === null && state.b === null) {
      // The two best of the contest that most rows are in, masked ones only where there are no others.
      const busiest = some.reduce((most, one) => (rowsOf(one).length > rowsOf(most).length ? one : most));
      const rows = best(busiest).map(([, row]) => row);
      rows.sort((one, other) => (front.rows[one].mask !== null) - (front.rows[other].mask !== null));
      [state.a, state.b] = [...rows, null];
    }
    state.a ??= others(state.b)[0] ?? state.b;
    state.b ??= others(state.a)[0] ?? state.a;
  }
  function say() {
    const said = new URLSearchParams();
    for (const name of ["a", "b"]) if (state[name] !== null) said.set(name, front.rows[state[name]].slug);
    if (state.benchmark) said.set("benchmark", state.benchmark);
    address = `#${said}`;
    if (address !== location.hash) history.pushState(null, "", address);
  }

  // What can be compared: contests that both are in; else one benchmark whose documents agree, asked in two ways.
  function pairsOf() {
    const { a, b } = state;
    const some = front.contests.filter((contest) => !state.benchmark || contest.benchmark === state.benchmark);
    const found = a === b ? [] : some.filter((one) => takesPart(one, a) && takesPart(one, b)).map((one) => [one, one]);
    const compared = new Set(found.map(([contest]) => contest.benchmark));
    for (const one of some) {
      for (const other of some) {
        const alike = ["benchmark", "metric", "unit", "higher"].every((what) => one[what] === other[what]);
        if (one === other || !alike || one.prompting === other.prompting || compared.has(one.benchmark)) continue;
        if (a === b && some.indexOf(one) > some.indexOf(other)) continue;
        if (takesPart(one, a) && takesPart(other, b)) found.push([one, other]);
      }
    }
    return found.map(([one, other]) => ({ one, other, languages: sharedLanguages(one, other) })).filter((pair) => pair.languages.length);
  }
  function sharedLanguages(one, other) {
    const theirs = new Map(columnWith(other, state.b).map((column) => [column.language, column]));
    return columnWith(one, state.a).map((column) => column.language).filter((language) => {
      const [mine, their] = [columnOf(one, language), theirs.get(language)];
      return their && (one === other || (mine.documents === their.documents && mine.weights === their.weights && sameClusters(mine, their)));
    });
  }
  const columnOf = (contest, language) => contest.columns.find((column) => column.language === language);
  // Numbers of clusters are a contest's own: what agrees is which documents belong together.
  function sameClusters(mine, theirs) {
    if (mine.clusters === null || theirs.clusters === null) return mine.clusters === theirs.clusters;
    const known = new Map();
    return mine.clusters.every((cluster, place) => {
      if (!known.has(cluster)) known.set(cluster, theirs.clusters[place]);
      return known.get(cluster) === theirs.clusters[place];
    }) && new Set(known.values()).size === known.size;
  }

  // One contest in which A and B are two rows, wherever their scores come from.
  const SIDE_A = 0;
  const SIDE_B = 1;
  function joined({ one, other, languages }) {
    const columns = languages.map((language) => {
      const [mine, theirs] = [columnOf(one, language), columnOf(other, language)];
      const shown = (column, row, place) => column.shown.filter(([found]) => found === row).map(([, ...rest]) => [place, ...rest]);
      const scores = {};
      if (mine.scores[state.a] !== undefined) scores[SIDE_A] = mine.scores[state.a];
      if (theirs.scores[state.b] !== undefined) scores[SIDE_B] = theirs.scores[state.b];
      return { ...mine, shown: [...shown(mine, state.a, SIDE_A), ...shown(theirs, state.b, SIDE_B)], scores };
    });
    return { ...one, columns };
  }

  function cellsOf(contest, languages) {
    const field = ranking.fieldOf(contest, languages);
    const [a, b] = [field.rows.get(SIDE_A), field.rows.get(SIDE_B)];
    const { value, low, high, told } = ranking.differ(field, a, b);
    const winner = value > 0 === contest.higher ? "A" : "B";
    const exact = a.exact !== null && b.exact !== null;
    const tallies = field.columns.map((column) => ranking.tally(column, SIDE_A, column, SIDE_B, contest.higher));
    const sum = (what) => (tallies.includes(null) ? "–" : tallies.reduce((total, one) => total + one[what], 0).toLocaleString("en"));
    const verdict = told ? element("span", { class: "verdict" }, `${winner} is better`) : element("span", { class: "unsure" }, "≈ cannot tell");
    return {
      exact,
      cells: [
        number(a.mean, contest.unit), number(b.mean, contest.unit), number(value, contest.unit, true),
        low !== null ? span(low, high, contest.unit) : told ? "by a sign test" : "no interval", verdict, sum("better"), sum("worse"), sum("equal"),
      ],
    };
  }
  function tableOf(pair, _, pairs) {
    const contest = joined(pair);
    const heads = ["Language", "A", "B", "A − B", "95 % interval", "Told apart", "A better", "B better", "Equal"];
    const head = element("tr", {}, ...heads.map((text, place) => element("th", { scope: "col", class: place === 5 ? "text" : null }, text)));
    const lineOf = (title, href, languages) => {
      const { exact, cells } = cellsOf(contest, languages);
      const name = element("th", { scope: "row" }, href ? element("a", { href }, title) : title, exact ? null : element("small", {}, " unpaired"));
      return element("tr", {}, name, ...cells.map((cell, place) => element("td", { class: place === 4 ? "text" : null }, cell)));
    };
    const rows = contest.columns.map((column) => lineOf(column.name, `../${contest.href}`, [column.language]));
    const table = element("table", { class: "differences" }, element("thead", {}, head), element("tbody", {}, ...rows));
    if (rows.length > 1) table.append(element("tfoot", {}, lineOf(`Mean of ${rows.length}`, null, pair.languages)));
    const alone = pairs.filter(({ one }) => one.benchmark === contest.benchmark).length === 1;
    const same = pair.one === pair.other;
    const how = `${same ? contest.prompting : `A: ${pair.one.prompting}; B: ${pair.other.prompting}`}; ${contest.label}`;
    const of = alone ? "" : ` · ${how}`;
    const scroll = element("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": `${contest.benchmark}${of}, A and B` }, table);
    const asked = same ? how : `${how}. Their prompts differ: the difference is also one of asking`;
    const better = contest.higher ? "higher is better" : "lower is better";
    const section = element("section", {}, element("h2", {}, element("a", { href: `../${contest.href}` }, element("bdi", {}, contest.benchmark)), of && element("small", {}, of)), scroll,
      element("p", { class: "caption" }, `${contest.metric} in ${contest.unit}, ${better}; ${asked}. A and B answered the same documents; “unpaired” where their answers are not known, so that the interval is from their standard errors.`));
    const changes = same ? changesOf(contest) : null;
    if (changes) section.append(...changes);
    return section;
  }
  function changesOf(contest) {
    const rows = contest.changes.map((change) => {
      const [a, b] = [state.a, state.b].map((row) => change.values.find(([one]) => one === row));
      if (!a && !b) return null;
      const cell = (one, row) => {
        if (!one) return element("td", {}, "–");
        const [, byLanguage, delta, low, high] = one;
        const said = changesIn(byLanguage, change.unit);
        const interval = low === null ? " no interval" : ` ${span(low, high, change.unit)}${low <= 0 && high >= 0 ? " incl. 0" : ""}`;
        return element("td", {}, element("a", { href: `../${front.rows[row].href}` }, number(delta, change.unit, true)), element("small", {}, interval), said && element("small", {}, element("br"), said));
      };
      return element("tr", {}, element("th", { scope: "row" }, `∆ ${change.label}`), cell(a, state.a), cell(b, state.b));
    }).filter(Boolean);
    if (!rows.length) return null;
    const head = element("tr", {}, ...["Switched off", "A", "B"].map((text) => element("th", { scope: "col" }, text)));
    const table = element("table", { class: "differences" }, element("thead", {}, head), element("tbody", {}, ...rows));
    return [element("h3", {}, "What switching neurons off changes"), element("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": `∆ on ${contest.benchmark}, A and B` }, table)];
  }

  function sidesOf() {
    return ["a", "b"].filter((name) => state[name] !== null).map((name) => {
      const row = front.rows[state[name]];
      const languages = [...new Set(["a", "b"].flatMap((one) => Object.keys(front.rows[state[one]]?.layers ?? {})))].sort();
      const size = row.parameters === null ? null : `${new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 3 }).format(row.parameters)} parameters`;
      const about = [row.family, size, maskOfRow(row), row.weights && `weights ${row.weights}`].filter(Boolean).join(" · ");
      const card = element("div", {}, element("h2", {}, `${name.toUpperCase()}: `, element("a", { href: `../${row.href}` }, element("bdi", {}, row.name))));
      if (about) card.append(element("p", {}, about));
      if (Object.keys(row.layers).length) {
        const keys = languages.flatMap((language, place) => (row.layers[language] ? [element("span", { class: `key line${place % 10}` }), ` ${language} `] : []));
        card.append(element("p", {}, "Neurons by layer: ", ...keys), sparkline(row.layers, languages, 240, 48));
      }
      return card;
    });
  }
  function show() {
    for (const name of ["a", "b"]) side(name).value = titleAt.get(state[name]) ?? "";
    side("benchmark").value = state.benchmark;
    document.getElementById("sides").replaceChildren(...sidesOf());
    const pairs = state.a === null || state.b === null ? [] : pairsOf();
    document.getElementById("tables").replaceChildren(...pairs.map(tableOf));
    const count = `${pairs.length} comparison${pairs.length === 1 ? "" : "s"}`;
    const none = state.a === state.b ? "A and B are the same; choose another model for one of them." : "No benchmark has scores of both on the same documents; choose two others.";
    status.textContent = pairs.length ? count : none;
  }

  page.querySelector("form").addEventListener("submit", (event) => event.preventDefault());
  page.addEventListener("change", (event) => {
    const name = event.target.dataset.side;
    if (name === "benchmark") state.benchmark = event.target.value;
    else if (titles.has(event.target.value)) state[name] = titles.get(event.target.value);
    else {
      status.textContent = `No model is called “${event.target.value}”; choose one of the list.`;
      return;
    }
    show();
    say();
  });
  document.getElementById("swap").addEventListener("click", () => {
    [state.a, state.b] = [state.b, state.a];
    show();
    say();
  });
  function visited() {
    if (location.hash === address) return;
    address = location.hash;
    readState();
    show();
  }
  addEventListener("hashchange", visited);
  addEventListener("popstate", visited);
  readState();
  address = location.hash;
  show();
})();
