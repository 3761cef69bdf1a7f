// Shared by all widgets: building nodes, sending acts, drawing the state.
// Text is only ever set as text: nothing that a model wrote is parsed as HTML.

/** A node. `on` holds listeners; a true attribute is set empty, a false one left out. */
function h(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  const { on = {}, ...rest } = attributes;
  for (const [name, value] of Object.entries(rest)) {
    if (value === false || value === null || value === undefined) continue;
    node.setAttribute(name, value === true ? "" : String(value));
  }
  for (const [kind, listener] of Object.entries(on)) {
    node.addEventListener(kind, listener);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return node;
}

/** A control under its label; `hint` is read with it. */
function field(label, control, hint = "") {
  const id = `al-${crypto.randomUUID()}`;
  control.id = id;
  const parts = [h("label", { for: id }, label), control];
  if (hint) {
    control.setAttribute("aria-describedby", `${id}-hint`);
    parts.push(h("small", { id: `${id}-hint` }, hint));
  }
  return h("div", { class: "al-field" }, ...parts);
}

/** A push button. */
function button(text, click, attributes = {}) {
  return h("button", { type: "button", ...attributes, on: { click } }, text);
}

/** An option of a select; one without a value only tells something. */
function makeOption([value, text]) {
  return h("option", { value: value ?? "", disabled: value === null }, text);
}

/** All groups, those that are offered, and how many are not. */
function groupOptions({ groups, more_groups }) {
  const more = more_groups ? [[null, more_groups]] : [];
  return [["", "all groups"], ...groups, ...more];
}

/** Ask the kernel to do something. */
function act(model, name, fields = {}) {
  model.send({ act: name, ...fields });
}

/** The root of a widget: keys stay inside, so that "d d" deletes nobody's cells. */
function makeRoot(el, name, label) {
  const root = h("section", {
    class: `al-view al-${name}`,
    "aria-label": label,
    "data-lm-suppress-shortcuts": "true",
    tabindex: "0",
  });
  for (const kind of ["keydown", "keyup", "keypress"]) {
    root.addEventListener(kind, (event) => event.stopPropagation());
  }
  el.append(root);
  return root;
}

/** Draw the state now and whenever it changes; gives what undoes it. */
function onState(model, draw) {
  const redraw = () => draw(model.get("state"));
  model.on("change:state", redraw);
  redraw();
  return () => model.off("change:state", redraw);
}

/** A line that screen readers speak when it changes; `assertive` for errors. */
function liveLine(assertive = false) {
  return h("p", {
    class: assertive ? "al-notice" : "al-live",
    role: assertive ? "alert" : "status",
    "aria-live": assertive ? "assertive" : "polite",
  });
}

/** Set a node's text only if it differs, so that nothing is spoken twice. */
function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/**
 * Call `run` when no call came for so many milliseconds; `flush` does it at once, if
 * one is due.
 */
function debounce(run, wait = 250) {
  let timer = 0;
  let due = null;
  const later = (...args) => {
    clearTimeout(timer);
    due = args;
    timer = setTimeout(later.flush, wait);
  };
  later.flush = () => {
    clearTimeout(timer);
    const args = due;
    due = null;
    if (args) run(...args);
  };
  return later;
}
