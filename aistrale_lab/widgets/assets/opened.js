/** The pane of one opened result; shared by the views that open results. */
function makePane({ close, step }) {
  const title = h("h4", { tabindex: "-1" });
  const body = h("div", { class: "al-pane-body" });
  const node = h("aside", { class: "al-pane", "aria-label": "Opened result", hidden: true },
    h("div", { class: "al-bar al-pane-head" }, title,
      button("‹", () => step(-1), { "aria-label": "previous result" }),
      button("›", () => step(1), { "aria-label": "next result" }),
      button("Close", close, { title: "Escape" })),
    body);
  let drawn = "";

  function text({ title, text, note }) {
    return h("section", { class: "al-text" }, h("h5", {}, title),
      text ? h("pre", { tabindex: "0", "aria-label": title }, text) : null,
      note ? h("small", {}, note) : null);
  }
  function table(label, headings, rows) {
    return h("section", { class: "al-text al-scroll" }, h("h5", {}, label),
      h("table", { class: "al-table al-wrap", "aria-label": label },
        h("thead", {}, h("tr", {}, headings.map((name) => h("th", { scope: "col" }, name)))),
        h("tbody", {}, rows.map((row) => h("tr", {}, row.map((value) => h("td", {}, value)))))));
  }
  function draw(opened) {
    setText(title, opened.title);
    const parts = opened.texts.map(text);
    if (opened.scores.length) {
      parts.push(table("scores", ["scorer", "value", "answer", "explanation"],
        opened.scores.map((one) => [one.scorer, one.value, one.answer, one.explanation])));
    }
    if (opened.attempts.length) {
      parts.push(table("attempts that were not kept",
        ["number", "duration, s", "waited, s", "status", "error"], opened.attempts));
    }
    parts.push(table("times, tokens, cost", ["what", "value"], opened.facts));
    parts.push(h("details", {}, h("summary", {}, "raw payload"), text({ title: "as the provider sent it", ...opened.raw })));
    body.replaceChildren(...parts);
    body.scrollTop = 0;
  }
  function update(opened) {
    const now = opened ? JSON.stringify(opened) : "";
    if (now === drawn) return;
    const wasClosed = !drawn;
    drawn = now;
    node.hidden = !opened;
    if (!opened) return;
    draw(opened);
    if (wasClosed) title.focus();
  }
  return { node, update };
}
