/**
 * A list of chosen names with a search field beneath: a combobox after the ARIA
 * Authoring Practices. What is offered may be chosen; anything else may be typed.
 * `changed(names)` is told the new choice; `search(text)` what is being typed, `typing`
 * that something is. `flush` chooses what was typed, as leaving the field does a moment
 * later: a button that is being pressed must not move away.
 */
function makePicker(label, hint, { changed, search, opened = () => {}, typing = () => {} }) {
  const id = `al-${crypto.randomUUID()}`;
  const chips = h("ul", { class: "al-chips", "aria-label": `${label}: chosen` });
  const list = h("ul", { class: "al-options", id: `${id}-list`, role: "listbox", "aria-label": label, tabindex: "-1", hidden: true });
  const input = h("input", {
    id, type: "text", role: "combobox", autocomplete: "off", spellcheck: "false",
    "aria-expanded": "false", "aria-controls": `${id}-list`, "aria-autocomplete": "list",
    "aria-describedby": `${id}-hint`, placeholder: "search, or type a name and press Enter",
  });
  const note = h("small", { id: `${id}-hint` }, hint);
  const node = h("div", { class: "al-field al-picker" }, h("label", { for: id }, label), chips,
    h("div", { class: "al-combobox" }, input, list), note);
  let chosen = [];
  let offered = [];
  let active = -1;

  const shown = () => offered.filter((name) => !chosen.includes(name));

  function open(yes) {
    const really = yes && shown().length > 0;
    list.hidden = !really;
    input.setAttribute("aria-expanded", String(really));
    if (!really) activate(-1);
  }
  function activate(place) {
    active = place;
    [...list.children].forEach((option, n) => {
      option.setAttribute("aria-selected", String(n === place));
      if (n === place) option.scrollIntoView({ block: "nearest" });
    });
    if (place < 0) input.removeAttribute("aria-activedescendant");
    else input.setAttribute("aria-activedescendant", `${id}-${place}`);
  }
  function choose(names) {
    chosen = names;
    drawChips();
    drawOptions();
    changed(chosen);
  }
  function add(name) {
    const wanted = name.trim();
    input.value = "";
    search("");
    if (wanted && !chosen.includes(wanted)) choose([...chosen, wanted]);
  }
  function drawChips() {
    chips.replaceChildren(...chosen.map((name) => h("li", {},
      h("span", {}, name),
      button("×", () => { choose(chosen.filter((one) => one !== name)); input.focus(); },
        { class: "al-remove", "aria-label": `remove ${name}` }))));
  }
  function drawOptions() {
    list.replaceChildren(...shown().map((name, n) => h("li", {
      id: `${id}-${n}`, role: "option", "aria-selected": "false",
      on: { mousedown: (event) => { event.preventDefault(); add(name); } },
    }, name)));
    activate(-1);
    if (input.getRootNode().activeElement === input) open(true);
  }
  function onKey(event) {
    const last = shown().length - 1;
    if (event.key === "ArrowDown") { open(true); activate(Math.min(active + 1, last)); }
    else if (event.key === "ArrowUp") activate(Math.max(active - 1, -1));
    else if (event.key === "Enter") add(active >= 0 ? shown()[active] : input.value);
    else if (event.key === "Escape") open(false);
    else if (event.key === "Backspace" && !input.value && chosen.length) return choose(chosen.slice(0, -1));
    else return;
    event.preventDefault();
  }
  input.addEventListener("keydown", onKey);
  input.addEventListener("focus", () => { opened(); open(true); });
  const typed = () => { if (input.value.trim()) add(input.value); };
  const left = debounce(() => { if (input.getRootNode().activeElement !== input) typed(); }, 300);
  input.addEventListener("blur", () => { open(false); left(); });
  const searched = debounce(search, 120);
  input.addEventListener("input", () => { typing(); searched(input.value); open(true); });

  return {
    node,
    flush: typed,
    update(names, options, said) {
      if (names.join("\n") !== chosen.join("\n")) { chosen = [...names]; drawChips(); }
      if (options.join("\n") !== offered.join("\n")) { offered = [...options]; drawOptions(); }
      setText(note, said || hint);
    },
  };
}
