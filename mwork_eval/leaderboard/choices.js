
// What a reader can choose on the front page, what is chosen until then, and how an address says it. No page.
const choices = (() => {
  const SIZES = [
    ["small", "under 1B", 1e9],
    ["medium", "1B to 4B", 4e9],
    ["large", "4B to 15B", 15e9],
    ["huge", "over 15B", Infinity],
    ["unknown", "unknown", null],
  ];
  const ANY = "";
  const NO_LANGUAGE = "und";
  const STEPS = ["benchmark", "prompting", "documents"];

  // Contests by what one chooses them by; those that only differ in what is not shown are numbered.
  function contestsOf(front) {
    const contests = front.contests.map((contest) => ({ ...contest, documents: contest.label }));
    for (const contest of contests) {
      const alike = contests.filter((one) => one.benchmark === contest.benchmark && one.prompting === contest.prompting);
      const named = (one) => one.label === contest.label;
      if (alike.filter(named).length > 1) contest.documents = `${contest.label} · ${contest.metric}`;
    }
    for (const contest of contests) {
      const same = contests.filter((one) => STEPS.every((what) => one[what] === contest[what]));
      same.slice(1).forEach((one, place) => (one.documents = `${one.documents} (${place + 2})`));
    }
    return contests;
  }
  const rowsOf = (contest) => new Set(contest.columns.flatMap((column) => column.shown.map(([row]) => row)));
  const busiest = (some) => some.reduce((best, one) => (rowsOf(one).size > rowsOf(best).size ? one : best));
  const familiesOf = (front) => [...new Set(front.rows.map((row) => row.family).filter(Boolean))].sort();
  const sizeOf = (row) =>
    row.parameters === null ? "unknown" : SIZES.find(([, , below]) => below !== null && row.parameters < below)[0];

  // Languages that are chosen until a reader chooses: those in which most scores can be ranked together.
  function usualLanguages(contest) {
    const there = contest.columns.map((column) => [column.language, new Set(column.shown.map(([row]) => row))]);
    there.sort(([, one], [, other]) => other.size - one.size);
    let [best, most, common] = [[], 0, null];
    for (const [place, [, rows]] of there.entries()) {
      common = common === null ? [...rows] : common.filter((row) => rows.has(row));
      if (common.length * (place + 1) < most) continue;
      most = common.length * (place + 1);
      best = there.slice(0, place + 1).map(([language]) => language);
    }
    return contest.columns.map((column) => column.language).filter((language) => best.includes(language));
  }
  function usualDirection(contest, key) {
    if (key === "rank" || key === "name") return "asc";
    return key.startsWith("delta:") || contest.higher ? "desc" : "asc";
  }

  // The contest that comes nearest to what is wanted, step by step.
  function nearest(contests, wanted) {
    const named = { benchmark: busiest(contests).benchmark, ...wanted };
    let left = contests;
    for (const what of STEPS) {
      const some = left.filter((one) => one[what] === named[what]);
      if (some.length) left = some;
      else if (what === "benchmark") left = left.filter((one) => one.benchmark === busiest(contests).benchmark);
    }
    return busiest(left);
  }

  // What is as it would be anyway is left out of an address; what is unknown in one is ignored.
  function read(address, contests, front) {
    const found = new URLSearchParams(address.slice(1));
    const contest = nearest(contests, Object.fromEntries(STEPS.filter((what) => found.has(what)).map((what) => [what, found.get(what)])));
    const wanted = found.get("languages")?.split(",") ?? [];
    const languages = contest.columns.map((column) => column.language).filter((language) => wanted.includes(language));
    const none = found.get("languages") === "";
    const state = {
      languages: languages.length || none ? languages : usualLanguages(contest),
      q: found.get("q") ?? "",
      family: familiesOf(front).includes(found.get("family")) ? found.get("family") : ANY,
      size: SIZES.some(([key]) => key === found.get("size")) ? found.get("size") : ANY,
      masked: found.get("masked") === "1",
      view: found.get("view") === "heat" ? "heat" : "table",
      sort: found.get("sort") ?? "rank",
      dir: null,
    };
    if (!isColumn(contest, state, state.sort)) state.sort = "rank";
    state.dir = ["asc", "desc"].includes(found.get("dir")) ? found.get("dir") : usualDirection(contest, state.sort);
    return [contest, state];
  }
  function addressOf(contest, state, contests) {
    const said = new URLSearchParams();
    const alike = (...what) => contests.filter((one) => what.every((name) => one[name] === contest[name]));
    if (contest.benchmark !== busiest(contests).benchmark) said.set("benchmark", contest.benchmark);
    if (busiest(alike("benchmark")).prompting !== contest.prompting) said.set("prompting", contest.prompting);
    if (busiest(alike("benchmark", "prompting")) !== contest) {
      said.set("prompting", contest.prompting);
      said.set("documents", contest.documents);
    }
    if (said.size) said.set("benchmark", contest.benchmark);
    if (state.languages.join() !== usualLanguages(contest).join()) said.set("languages", state.languages.join(","));
    for (const what of ["q", "family", "size"]) if (state[what]) said.set(what, state[what]);
    if (state.masked) said.set("masked", "1");
    if (state.view === "heat") said.set("view", "heat");
    if (state.sort !== "rank") said.set("sort", state.sort);
    if (state.dir !== usualDirection(contest, state.sort)) said.set("dir", state.dir);
    return `#${said.toString().replaceAll("%2C", ",").replaceAll("%3A", ":")}`;
  }
  // Whether a table of this state has a column to sort by.
  function isColumn(contest, state, key) {
    if (key === "rank" || key === "name") return true;
    if (state.view === "heat") return contest.columns.some((column) => column.language === key);
    return key === "mean" || state.languages.includes(key) || contest.changes.some((change) => `delta:${change.label}` === key);
  }

  return { ANY, NO_LANGUAGE, SIZES, STEPS, addressOf, contestsOf, familiesOf, isColumn, nearest, read, sizeOf, usualDirection, usualLanguages };
})();
