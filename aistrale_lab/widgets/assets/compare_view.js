/** The compare view: a list of samples, and the answers to one of them side by side. */

const VERDICTS = { better: ["▲", "better"], worse: ["▼", "worse"], mixed: ["◆", "better and worse"], same: ["", ""] };
const SIGNS = { "✓": "right", "✗": "wrong", "–": "no score" };

/** The filters; each number is of the samples that it would show. */
function makeFilters(model) {
  const ask = (fields) => act(model, "filter", fields);
  const kind = h("select", { "aria-label": "Which samples", on: { change: () => ask({ kind: kind.value }) } });
  const group = h("select", { "aria-label": "Group", on: { change: () => ask({ group: group.value }) } });
  const search = h("input", { type: "search", "aria-label": "Search in sample ids, groups and inputs", placeholder: "search (press /)" });
  const later = debounce((text) => ask({ search: text }));
  search.addEventListener("input", () => later(search.value));
  const words = h("input", { type: "checkbox", checked: true });
  const node = h("div", { class: "al-bar al-tools" }, kind, group, search,
    h("label", { class: "al-bar" }, words, "show differences"));
  let groups = "";
  function update(state) {
    kind.replaceChildren(...state.titles.map(([key, title]) =>
      h("option", { value: key }, `${title} (${state.counts[key]})`)));
    kind.value = state.kind;
    const options = groupOptions(state);
    if (groups !== JSON.stringify(options)) {
      groups = JSON.stringify(options);
      group.replaceChildren(...options.map(makeOption));
    }
    group.hidden = options.length < 2;
    group.value = state.group;
    if (search.getRootNode().activeElement !== search) search.value = state.search;
  }
  return { node, update, search, words, next: () => {
    const keys = model.get("state").titles.map(([key]) => key);
    ask({ kind: keys[(keys.indexOf(model.get("state").kind) + 1) % keys.length] });
  } };
}

/** The page of samples, each a button with its scores and verdict. */
function makeList(model) {
  const list = h("ol", { class: "al-samples", "aria-label": "Samples" });
  const go = (place) => act(model, "go", { place });
  const back = button("‹ back", () => go(model.get("state").start - 1));
  const on = button("next ›", () => go(model.get("state").start + model.get("state").items.length));
  const node = h("nav", { class: "al-list", "aria-label": "Samples" }, list, h("div", { class: "al-bar" }, back, on));
  function item({ sample, scores, verdict }, n, state) {
    const [sign, word] = VERDICTS[verdict];
    const told = scores.map((one, k) => `${state.names[k]}: ${SIGNS[one] ?? one}`);
    const node = button("", () => go(state.start + n), {
      class: "al-item",
      "aria-current": state.start + n === state.place ? "true" : false,
      "aria-label": [sample, ...told, word].filter(Boolean).join(", "),
    });
    node.append(h("span", { class: "al-name" }, sample),
      ...scores.map((one, k) => h("span", { class: "al-mark", title: told[k] }, one)),
      h("span", { class: `al-verdict al-${verdict}`, title: word }, sign));
    return h("li", {}, node);
  }
  function update(state) {
    const had = list.contains(list.getRootNode().activeElement);
    list.replaceChildren(...state.items.map((one, n) => item(one, n, state)));
    list.setAttribute("start", String(state.start + 1));
    back.disabled = state.start === 0;
    on.disabled = state.start + state.items.length >= state.total;
    const current = list.querySelector("[aria-current]");
    if (had) current?.focus();
    current?.scrollIntoView({ block: "nearest" });
  }
  return { node, update };
}

/** One sample: what was asked, and every answer. */
function makeAnswers() {
  const title = h("h4");
  const asked = h("div", { class: "al-asked" });
  const answers = h("div", { class: "al-answers" });
  const node = h("div", { class: "al-sample" }, title, asked, answers);
  const marks = { removed: "del", added: "ins" };
  let drawn = "";

  function text(name, { text, note }) {
    return h("section", { class: "al-text" }, h("h5", {}, name), text ? h("pre", { tabindex: "0", "aria-label": name }, text) : null, note ? h("small", {}, note) : null);
  }
  function spans(list, marked) {
    if (!marked) return list.filter(([kind]) => kind !== "removed").map(([, part]) => part);
    return list.map(([kind, part]) => (marks[kind] ? h(marks[kind], {}, part) : part));
  }
  function answer(one, n, marked) {
    const scores = one.scores.map(([scorer, value, why]) =>
      h("li", {}, h("strong", {}, `${scorer} ${value}`), why ? ` ${why}` : ""));
    return h("section", { class: one.failed ? "al-answer al-failed" : "al-answer", "aria-label": one.name },
      h("h5", {}, one.name, h("small", {}, n === 0 ? " baseline" : "")),
      h("pre", { tabindex: "0", "aria-label": `answer of ${one.name}` }, ...spans(one.spans, marked)),
      one.note ? h("small", {}, one.note) : null,
      scores.length ? h("ul", {}, scores) : null);
  }
  function update(shown, marked) {
    const now = JSON.stringify([shown, marked]);
    if (now === drawn) return;
    drawn = now;
    node.hidden = !shown;
    if (!shown) return;
    setText(title, shown.title);
    asked.replaceChildren(text("input", shown.input), text("target", shown.target));
    answers.replaceChildren(...shown.answers.map((one, n) => answer(one, n, marked)));
  }
  return { node, update };
}

function render({ model, el }) {
  const root = makeRoot(el, "compare-view", "Answers side by side");
  const filters = makeFilters(model);
  const list = makeList(model);
  const answers = makeAnswers();
  const said = liveLine();
  const notice = liveLine(true);
  const hint = h("small", {}, "↓ ↑ or j k: next, previous sample · n p: next, previous that is better or worse · f: next filter · /: search");
  root.append(filters.node, said, notice, h("div", { class: "al-split" }, list.node, answers.node), hint);
  const redraw = () => answers.update(model.get("state").shown, filters.words.checked);
  filters.words.addEventListener("change", redraw);

  function onKey(event) {
    const tag = event.target.tagName;
    if (tag === "SELECT" || (tag === "INPUT" && event.target.type !== "checkbox")) return;
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const step = { ArrowDown: 1, j: 1, ArrowUp: -1, k: -1 }[event.key];
    const jump = { n: 1, p: -1 }[event.key];
    if (step) act(model, "step", { by: step });
    else if (jump) act(model, "jump", { by: jump });
    else if (event.key === "f") filters.next();
    else if (event.key === "/") filters.search.focus();
    else return;
    event.preventDefault();
  }
  root.addEventListener("keydown", onKey);
  return onState(model, (state) => {
    filters.update(state);
    list.update(state);
    redraw();
    setText(said, state.said);
    setText(notice, state.notice);
  });
}

export default { render };
