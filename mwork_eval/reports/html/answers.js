const PAGE_SIZE = 25;

// Answers: all text goes in as text.
function make(tag, className, text) {
  const element = document.createElement(tag);
  element.className = className;
  if (text !== undefined) {
    element.textContent = text;
    element.dir = "auto";
  }
  return element;
}
function readAnswers(section) {
  const content = JSON.parse(section.querySelector('script[type="application/json"]').textContent);
  return content.rows.map(([document, cell, masked, maskedScore, changed]) => {
    const [task, language, number, prompt, gold, baseline, baselineScore] = content.documents[document];
    const [preset, setting, mask, seed] = content.cells[cell];
    return {
      task, language, number, prompt, gold, baseline, baselineScore, masked, maskedScore, preset, setting, mask, seed,
      changed: changed === 1,
    };
  });
}
function side(head, text) {
  const part = document.createElement("div");
  part.append(make("h4", "", head), make("p", "", text));
  return part;
}
function answerArticle(row) {
  const article = make("article", row.changed ? "answer changed" : "answer");
  const head = make("h3", "");
  const seed = row.seed === null ? "" : `, seed ${row.seed}`;
  head.append(
    make("bdi", "", `${row.task} ${row.language}, document ${row.number}`),
    make("span", "", ` · ${row.setting} of ${row.preset}, mask ${row.mask}${seed}${row.changed ? " · changed" : ""}`),
  );
  const sides = make("div", "sides");
  if (row.gold) sides.append(side("right answer", row.gold));
  sides.append(
    side(`no mask (score ${row.baselineScore.toFixed(3)})`, row.baseline),
    side(`masked (score ${row.maskedScore.toFixed(3)})`, row.masked),
  );
  const prompt = make("p", "prompt", row.prompt);
  prompt.tabIndex = 0;
  article.append(head, prompt, sides);
  return article;
}
function showAnswers(section) {
  const rows = readAnswers(section);
  const [filters, list, count] = [".filters", ".list", ".count"].map((part) => section.querySelector(part));
  const selects = Array.from(filters.querySelectorAll("select"));
  const onlyChanged = filters.querySelector("input");
  const steps = Array.from(section.querySelectorAll("[data-step]"));
  let page = 0;
  for (const select of selects) {
    for (const value of new Set(rows.map((row) => row[select.dataset.filter]))) {
      const option = make("option", "", value);
      option.value = value;
      select.append(option);
    }
  }
  function show() {
    const found = rows.filter((row) =>
      (row.changed || !onlyChanged.checked) && selects.every((s) => !s.value || row[s.dataset.filter] === s.value));
    const first = page * PAGE_SIZE;
    const shown = found.slice(first, first + PAGE_SIZE);
    list.replaceChildren(...shown.map(answerArticle));
    const changed = found.filter((row) => row.changed).length.toLocaleString("en");
    const range = shown.length ? `${first + 1} to ${first + shown.length} of ` : "";
    count.textContent = `Showing ${range}${found.length.toLocaleString("en")} answers, of which ${changed} changed.`;
    steps[0].disabled = page === 0;
    steps[1].disabled = first + PAGE_SIZE >= found.length;
  }
  filters.addEventListener("submit", (event) => event.preventDefault());
  filters.addEventListener("change", () => { page = 0; show(); });
  for (const step of steps) {
    step.addEventListener("click", () => {
      page += Number(step.dataset.step);
      show();
      section.scrollIntoView();
    });
  }
  show();
}
for (const section of document.querySelectorAll(".answers")) {
  if (section.querySelector("script")) showAnswers(section);
}
