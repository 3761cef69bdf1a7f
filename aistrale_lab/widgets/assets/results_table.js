/** The results table: the kernel pages, sorts, searches and filters; this draws. */

const RESTS = 250; // milliseconds after the last key before the kernel is asked

const OUTCOMES = [["all", "all results"], ["answered", "answered"], ["failed", "failed"]];
const JUDGED = [["right", "right"], ["wrong", "wrong"], ["unscored", "without a score"]];

/** A select whose options are drawn anew only when they change. */
function makeSelect(label, changed) {
  const select = h("select", { "aria-label": label, on: { change: () => changed(select.value) } });
  let drawn = "";
  function update(options, value) {
    const now = JSON.stringify(options);
    if (now !== drawn) {
      drawn = now;
      select.replaceChildren(...options.map(makeOption));
    }
    select.value = value;
    select.hidden = options.length < 2;
  }
  return { node: select, update };
}

/** Search, filters and the choice of columns. */
function makeTools(model, ask) {
  const search = h("input", { type: "search", "aria-label": "Search in ids, groups, inputs, targets, outputs and errors", placeholder: "search (press /)" });
  const later = debounce((text) => ask({ search: text }), RESTS);
  search.addEventListener("input", () => later(search.value));
  const runs = makeSelect("Model", (value) => ask({ runs: value ? [value] : [] }));
  const outcome = makeSelect("Outcome", (value) => {
    const [kind, scorer = ""] = value.split("\n");
    ask({ outcome: kind, scorer });
  });
  const group = makeSelect("Group", (value) => ask({ group: value }));
  const boxes = h("div", { class: "al-columns-list" });
  const chooser = h("details", { class: "al-chooser" }, h("summary", {}, "Columns"), boxes);
  let drawn = "";

  function drawBoxes({ columns, chosen }) {
    const now = columns.join("\n");
    if (now !== drawn) {
      drawn = now;
      boxes.replaceChildren(...columns.map((name) => h("label", {},
        h("input", { type: "checkbox", value: name, on: { change: choose } }), ` ${name}`)));
    }
    for (const box of boxes.querySelectorAll("input")) box.checked = chosen.includes(box.value);
  }
  function choose() {
    const columns = [...boxes.querySelectorAll("input:checked")].map((box) => box.value);
    act(model, "choose", { columns });
  }
  function update(state) {
    const { query } = state;
    if (search.getRootNode().activeElement !== search) search.value = query.search;
    runs.update([["", "all models"], ...state.runs], query.runs[0] ?? "");
    const judged = state.scorers.flatMap((scorer) =>
      JUDGED.map(([kind, text]) => [`${kind}\n${scorer}`, `${scorer}: ${text}`]));
    outcome.update([...OUTCOMES, ...judged], query.scorer ? `${query.outcome}\n${query.scorer}` : query.outcome);
    group.update(groupOptions(state), query.group);
    drawBoxes(state);
  }
  const node = h("div", { class: "al-bar al-tools" }, search, runs.node, outcome.node, group.node, chooser);
  return { node, update, search };
}

/** The page itself: headers that sort, rows that open. */
function makeGrid({ sort, open }) {
  const head = h("tr");
  const body = h("tbody");
  const table = h("table", { class: "al-table", "aria-label": "Results" }, h("thead", {}, head), body);
  const node = h("div", { class: "al-scroll", role: "region", tabindex: "0", "aria-label": "Results, scrollable" }, table);
  let shown = {};

  function heading(name, { query, numbers }) {
    const here = query.sort === name;
    const order = here ? (query.descending ? "descending" : "ascending") : "none";
    const sign = here ? (query.descending ? " ▼" : " ▲") : "";
    return h("th", { scope: "col", "aria-sort": order, class: numbers.includes(name) ? "al-number" : false },
      button(name + sign, () => sort(name), { class: "al-sort", "data-column": name, title: `sort by ${name}` }));
  }
  function row(cells, place, state) {
    const texts = cells.map((text, n) => h("td", {
      class: state.numbers.includes(state.chosen[n]) ? "al-number" : false, title: text.length > 40 ? text : false,
    }, n === 0 ? button(text, () => open(place), { class: "al-open", "aria-label": `open ${text}, sample ${state.keys[place][1]}` }) : text));
    const failed = texts.some((_, n) => state.chosen[n] === "error_type" && cells[n] !== "–");
    return h("tr", { class: failed ? "al-failed" : false, on: { click: (event) => { if (event.target.tagName !== "BUTTON") open(place); } } }, texts);
  }
  function update(state) {
    const opened = JSON.stringify(state.opened?.key ?? null);
    const now = JSON.stringify([state.cells, state.chosen, state.query, state.keys]);
    if (now !== shown.now) {
      const focus = focused();
      head.replaceChildren(...state.chosen.map((name) => heading(name, state)));
      body.replaceChildren(...state.cells.map((cells, place) => row(cells, place, state)));
      refocus(focus);
    }
    [...body.children].forEach((tr, n) =>
      tr.classList.toggle("al-chosen", JSON.stringify(state.keys[n]) === opened));
    shown = { now };
  }
  function focused() {
    const active = node.getRootNode().activeElement;
    if (!node.contains(active)) return null;
    if (active.dataset?.column) return { column: active.dataset.column };
    return { place: [...body.children].findIndex((tr) => tr.contains(active)) };
  }
  function refocus(focus) {
    if (!focus) return;
    if (focus.column) [...head.querySelectorAll("button")].find((b) => b.dataset.column === focus.column)?.focus();
    else move(Math.max(0, focus.place), 0);
  }
  function place() {
    return [...body.children].findIndex((tr) => tr.contains(node.getRootNode().activeElement));
  }
  function move(from, by) {
    const rows = body.children;
    if (rows.length) rows[Math.min(Math.max(from + by, 0), rows.length - 1)].querySelector(".al-open").focus();
  }
  return { node, update, step: (by) => move(place(), by), focusOn: (n) => move(n, 0) };
}

/** Buttons that turn the page. */
function makePager(ask) {
  const turn = (to) => ask({ offset: to });
  let state = null;
  const limit = () => state.query.limit;
  const last = () => Math.max(0, Math.floor((state.found - 1) / limit()) * limit());
  const first = button("« first", () => turn(0));
  const back = button("‹ back", () => turn(Math.max(0, state.query.offset - limit())));
  const on = button("next ›", () => turn(Math.min(last(), state.query.offset + limit())));
  const end = button("last »", () => turn(last()));
  const size = makeSelect("Rows a page", (value) => ask({ limit: Number(value) }));
  const said = liveLine();
  function update(now) {
    state = now;
    first.disabled = back.disabled = now.query.offset === 0;
    on.disabled = end.disabled = now.query.offset >= last();
    const sizes = [...new Set([10, 25, 50, 100, limit()])].sort((a, b) => a - b);
    size.update(sizes.map((n) => [String(n), `${n} rows`]), String(limit()));
    setText(said, now.said);
  }
  return { node: h("div", { class: "al-bar al-pager" }, said, h("span", { class: "al-space" }), first, back, on, end, size.node), update,
    next: () => on.click(), previous: () => back.click() };
}

function render({ model, el }) {
  const root = makeRoot(el, "results-table", "Results");
  const ask = (fields) => act(model, "query", fields);
  const tools = makeTools(model, ask);
  const grid = makeGrid({
    sort: (name) => {
      const { query } = model.get("state");
      const again = query.sort === name;
      if (again && query.descending) ask({ sort: "", descending: false });
      else ask({ sort: name, descending: again });
    },
    open: (place) => {
      const [run_id, sample_id, epoch] = model.get("state").keys[place];
      act(model, "open", { run_id, sample_id, epoch });
    },
  });
  const pager = makePager(ask);
  const pane = makePane({ close, step: (by) => act(model, "step", { by }) });
  const notice = liveLine(true);
  root.append(tools.node, notice, h("div", { class: "al-split" }, grid.node, pane.node), pager.node);

  function close() {
    const { keys, opened } = model.get("state");
    const place = keys.findIndex((key) => JSON.stringify(key) === JSON.stringify(opened?.key));
    act(model, "close");
    grid.focusOn(Math.max(0, place));
  }
  function onKey(event) {
    const typing = ["INPUT", "SELECT"].includes(event.target.tagName);
    if (event.key === "Escape" && model.get("state").opened) close();
    else if (typing) return;
    else if (event.key === "/") tools.search.focus();
    else if (event.key === "PageDown") pager.next();
    else if (event.key === "PageUp") pager.previous();
    else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      if (pane.node.contains(event.target)) return;
      grid.step(event.key === "ArrowDown" ? 1 : -1);
    } else return;
    event.preventDefault();
  }
  root.addEventListener("keydown", onKey);
  return onState(model, (state) => {
    tools.update(state);
    grid.update(state);
    pager.update(state);
    pane.update(state.opened);
    setText(notice, state.notice);
  });
}

export default { render };
