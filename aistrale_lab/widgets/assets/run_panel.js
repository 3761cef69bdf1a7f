/** The run panel: a form, a plan, buttons, and lanes that move. */

const TYPED = 400; // milliseconds after the last key before the kernel is asked

/**
 * The form's fields; each sends what was typed when the typing rests, and when `flush`
 * is called: a button acts on what is seen. `typing` is told that the kernel has yet to
 * judge what is typed.
 */
function makeForm(model, preview, typing) {
  const controls = new Map();
  const resting = [];
  const send = (name, value) => act(model, "edit", { [name]: value });

  function typed(name, label, hint, attributes = {}, tag = "input") {
    const control = h(tag, { type: tag === "input" ? "text" : false, spellcheck: "false", ...attributes });
    const later = debounce((value) => send(name, value), TYPED);
    resting.push(later);
    control.addEventListener("input", () => { typing(); later(control.value); });
    control.addEventListener("change", () => later(control.value));
    controls.set(name, control);
    return field(label, control, hint);
  }
  function datalist(id) {
    return h("datalist", { id });
  }
  const files = datalist(`al-${crypto.randomUUID()}`);
  const models = makePicker("Models", "provider/model; several are compared", {
    changed: (names) => send("models", names),
    search: (text) => act(model, "search_models", { text }),
    opened: () => act(model, "list_models"),
    typing,
  });
  let known = [];
  const scorers = makePicker("Scorers", "NAME or NAME:ARGUMENT; none: answers are only kept", {
    changed: (names) => send("scorers", names),
    search: (text) => scorers.update(model.get("state").form.scorers, known.filter((n) => n.includes(text)), ""),
    typing,
  });
  const fresh = h("input", { type: "checkbox", on: { change: () => send("fresh", fresh.checked) } });
  const node = h("fieldset", { class: "al-form" },
    h("legend", { class: "al-hidden" }, "What to run"),
    h("div", { class: "al-columns" },
      h("div", { class: "al-stack" },
        typed("dataset", "Dataset", "a file of prompts: JSONL, CSV, YAML, Parquet", { list: files.id }), files,
        models.node,
        scorers.node,
        h("div", { class: "al-row" },
          typed("limit", "Samples", "empty: all", { inputmode: "numeric" }),
          typed("epochs", "Epochs", "repeats of each", { inputmode: "numeric" }),
          typed("concurrency", "Concurrency", "calls in flight a lane", { inputmode: "numeric" }),
          typed("budget", "Budget, USD", "empty: none", { inputmode: "decimal" }))),
      h("div", { class: "al-stack" },
        typed("prompt", "Prompt", "a Jinja template over the sample's fields", { rows: 3 }, "textarea"),
        h("details", { class: "al-more" },
          h("summary", {}, "System text, parameters, columns, name"),
          typed("system", "System text", "", { rows: 2 }, "textarea"),
          typed("params", "Parameters", "KEY=VALUE a line; several values, KEY=A,B, are swept", { rows: 2 }, "textarea"),
          typed("columns", "Columns of a foreign file", "input=FIELD, target=FIELD, id=FIELD, where=..., a line each", { rows: 2 }, "textarea"),
          typed("name", "Name of the experiment", "empty: that of the dataset")),
        h("label", { class: "al-check" }, fresh, " Run again even if this was run before (pays again)"),
        preview)));

  function update(state) {
    const focused = node.getRootNode().activeElement;
    for (const [name, control] of controls) {
      if (control !== focused && control.value !== state.form[name]) control.value = state.form[name];
    }
    known = state.known_scorers;
    fresh.checked = state.form.fresh;
    models.update(state.form.models, state.offered, state.listing);
    scorers.update(state.form.scorers, known, "");
    if (files.childElementCount !== state.datasets.length) {
      files.replaceChildren(...state.datasets.map((value) => h("option", { value })));
    }
    node.disabled = state.phase === "running" || state.phase === "stopping";
  }
  const flush = () => [...resting, models, scorers].forEach((one) => one.flush());
  return { node, update, flush };
}

/** The first sample as it will be sent. */
function makePreview() {
  const body = h("div", { class: "al-messages" });
  const title = h("span", { class: "al-muted" });
  const node = h("section", { class: "al-preview", "aria-label": "Preview of the first sample" },
    h("h4", {}, "What is sent "), title, body);
  let drawn = "";
  function message(role, text) {
    return h("div", { class: "al-message" }, h("span", { class: "al-role" }, role), h("pre", { tabindex: "0" }, text));
  }
  function update({ preview }) {
    const now = JSON.stringify(preview);
    if (now === drawn) return;
    drawn = now;
    setText(title, preview ? preview.sample : "choose a dataset to see its first sample");
    const parts = preview ? preview.messages.map((one) => message(one.role, one.text)) : [];
    if (preview && preview.target) parts.push(message("target (not sent)", preview.target));
    body.replaceChildren(...parts);
  }
  return { node, update };
}

/** The table of lanes: built when the lanes change, else only its texts. */
function makeLanes(headings) {
  const body = h("tbody");
  const table = h("table", { class: "al-table", "aria-label": "Lanes" },
    h("thead", {}, h("tr", {}, headings.map(([key, title]) =>
      h("th", { scope: "col", class: isNumber(key) ? "al-number" : false }, title)))),
    body);
  const node = h("div", { class: "al-scroll", tabindex: "0", role: "region", "aria-label": "Progress of the lanes", hidden: true }, table);
  let rows = [];

  function isNumber(key) { return !["lane", "status", "done"].includes(key); }
  function makeRow() {
    const bar = h("progress", { max: "1", value: "0" });
    const cells = new Map(headings.map(([key]) => [key, h(key === "lane" ? "th" : "td",
      { class: isNumber(key) ? "al-number" : false, scope: key === "lane" ? "row" : false })]));
    const share = h("span", { class: "al-share" });
    cells.get("done").append(bar, share);
    cells.get("done").className = "al-done";
    return { node: h("tr", {}, [...cells.values()]), bar, share, cells };
  }
  function fill(row, lane) {
    row.bar.value = lane.fraction;
    row.bar.setAttribute("aria-label", `${lane.lane}: ${lane.done} done`);
    for (const [key, cell] of row.cells) {
      if (key === "done") setText(row.share, lane.done);
      else if (key === "status") setText(cell, lane.reason ? `${lane.status}: ${lane.reason}` : lane.status);
      else setText(cell, lane[key]);
    }
    row.cells.get("failed").classList.toggle("al-bad", lane.failed !== "0");
  }
  function update({ lanes }) {
    node.hidden = lanes.length === 0;
    if (rows.length !== lanes.length) {
      rows = lanes.map(makeRow);
      body.replaceChildren(...rows.map((row) => row.node));
    }
    lanes.forEach((lane, n) => fill(rows[n], lane));
  }
  return { node, update };
}

/** The newest errors; the list opens itself when the first one comes. */
function makeErrors() {
  const title = h("summary", {});
  const list = h("ul", {});
  const node = h("details", { class: "al-errors", hidden: true }, title, list);
  let drawn = "";
  function update({ errors }) {
    const now = errors.join("\n");
    if (now === drawn) return;
    if (!drawn) node.open = true;
    drawn = now;
    node.hidden = errors.length === 0;
    setText(title, `Newest errors (${errors.length})`);
    list.replaceChildren(...errors.map((text) => h("li", {}, text)));
  }
  return { node, update };
}

/** The cell that does the same, to be copied. */
function makeCode() {
  const code = h("pre", { tabindex: "0", "aria-label": "Python of a notebook cell" });
  const said = h("span", { class: "al-muted", role: "status", "aria-live": "polite" });
  async function copy() {
    try {
      await navigator.clipboard.writeText(code.textContent);
      setText(said, "copied");
    } catch {
      window.getSelection().selectAllChildren(code);
      setText(said, "selected: copy it with the keyboard");
    }
  }
  const node = h("details", { class: "al-code" }, h("summary", {}, "Copy as code"), code,
    h("div", { class: "al-bar" }, button("Copy", copy), said));
  function update(state) {
    setText(code, state.code || "# what is wrong above comes first");
    setText(said, "");
  }
  return { node, update };
}

/** Run, Stop, Resume: only what can be done is there. */
function makeButtons(model, flush) {
  const run = button("Run", () => { flush(); act(model, "run"); }, { class: "al-primary" });
  const stop = button("Stop", () => act(model, "stop"));
  const resume = button("Resume", () => { flush(); act(model, "resume"); }, { class: "al-primary" });
  const failed = button("Send failed again", () => { flush(); act(model, "resume", { failed: true }); });
  const node = h("div", { class: "al-bar al-buttons", role: "group", "aria-label": "Run" }, run, stop, resume, failed);
  function update(state) {
    const busy = state.phase === "running" || state.phase === "stopping";
    const focused = node.contains(node.getRootNode().activeElement);
    run.hidden = busy || state.missing > 0;
    run.disabled = Boolean(state.problem);
    stop.hidden = !busy;
    setText(stop, state.phase === "stopping" ? "Stop now, drop what is in flight" : "Stop");
    resume.hidden = busy || state.missing === 0;
    setText(resume, `Resume (${state.missing.toLocaleString("en")} left)`);
    failed.hidden = busy || state.failed === 0;
    setText(failed, `Send failed again (${state.failed.toLocaleString("en")})`);
    if (focused && node.getRootNode().activeElement === document.body) {
      [run, stop, resume].find((one) => !one.hidden)?.focus();
    }
  }
  return { node, update, typing: () => { run.disabled = false; } };
}

/** Draw a text only where there is one. */
function makeLine(className, label = "") {
  const node = h("p", { class: className, "aria-label": label || false });
  return { node, set: (text) => { setText(node, text); node.hidden = !text; } };
}

function render({ model, el }) {
  const root = makeRoot(el, "run-panel", "Run panel");
  const preview = makePreview();
  const form = makeForm(model, preview.node, () => buttons.typing());
  const plan = makeLine("al-plan");
  const known = makeLine("al-muted");
  const problem = makeLine("al-problem");
  const notice = liveLine(true);
  const said = liveLine();
  const sums = makeLine("al-muted");
  const buttons = makeButtons(model, () => form.flush());
  const lanes = makeLanes(model.get("state").headings);
  const errors = makeErrors();
  const code = makeCode();
  root.append(form.node,
    h("div", { class: "al-foot" }, plan.node, problem.node, known.node, buttons.node, notice, said, sums.node),
    lanes.node, errors.node, code.node);

  function drawState(state) {
    form.update(state);
    preview.update(state);
    buttons.update(state);
    code.update(state);
    plan.set(state.plan ? `Plan: ${state.plan}` : "");
    problem.set(state.problem);
    known.set(state.phase === "ready" || state.form.fresh ? state.known : "");
    setText(notice, state.notice);
  }
  function drawProgress() {
    const progress = model.get("progress");
    lanes.update(progress);
    errors.update(progress);
    setText(said, progress.said);
    sums.set(progress.more ? `${progress.sums} · and ${progress.more} more lanes` : progress.sums);
  }
  const forget = onState(model, drawState);
  model.on("change:progress", drawProgress);
  drawProgress();
  return () => {
    forget();
    model.off("change:progress", drawProgress);
  };
}

export default { render };
