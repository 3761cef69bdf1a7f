/** The summary: a table, a choice of the metric, and pictures. */

/** The table of runs; a heading's second line is its unit. */
function makeSummary() {
  const head = h("tr");
  const body = h("tbody");
  const node = h("div", { class: "al-scroll", role: "region", tabindex: "0", "aria-label": "Summary, scrollable" },
    h("table", { class: "al-table", "aria-label": "Summary" }, h("thead", {}, head), body));
  function update({ headings, rows, numbers }) {
    const right = (n) => (numbers.includes(n) ? "al-number" : false);
    head.replaceChildren(...headings.map(([name, unit = ""], n) =>
      h("th", { scope: "col", class: right(n) }, name, unit ? h("small", {}, ` ${unit}`) : null)));
    body.replaceChildren(...rows.map((row) => h("tr", {}, row.map((text, n) =>
      h(n === 0 ? "th" : "td", { scope: n === 0 ? "row" : false, class: right(n) }, text)))));
  }
  return { node, update };
}

/** A picture under its title, or why there is none. */
function picture({ title, png, note, wide }) {
  const shown = png ? h("img", { src: `data:image/png;base64,${png}`, alt: title }) : h("p", { class: "al-muted" }, note);
  return h("figure", { class: wide ? "al-wide" : false }, h("figcaption", {}, title), shown);
}

function render({ model, el }) {
  const root = makeRoot(el, "summary-view", "Summary");
  const summary = makeSummary();
  const metric = h("select", { "aria-label": "Metric of the plots", on: { change: () => act(model, "metric", { metric: metric.value }) } });
  const choice = h("label", { class: "al-bar" }, "Plotted metric", metric);
  const plots = h("div", { class: "al-plots" });
  const said = liveLine();
  const notice = liveLine(true);
  root.append(said, summary.node, notice, choice, plots);
  let drawn = null;
  return onState(model, (state) => {
    setText(said, state.said);
    setText(notice, state.notice);
    summary.update(state);
    choice.hidden = state.metrics.length < 2;
    if (metric.childElementCount !== state.metrics.length) {
      metric.replaceChildren(...state.metrics.map((name) => h("option", { value: name }, name)));
    }
    metric.value = state.metric;
    if (state.plots !== drawn) plots.replaceChildren(...state.plots.map(picture));
    drawn = state.plots;
  });
}

export default { render };
