/**
 * Where the keyboard is among the controls of a view, which `expected` lists in the order
 * of the document; and whether it went `backwards`: neither down, nor right, nor inwards
 * from the control before.
 */
(view, [before = -1]) => {
  const kinds = "button, input, select, textarea, summary, [tabindex='0']";
  const controls = [...view.querySelectorAll(kinds)].filter((node) =>
    node.checkVisibility({ visibilityProperty: true }) && !node.matches(":disabled"));
  const tell = (node) => [node.tagName, node.getAttribute("aria-label") ?? node.textContent]
    .join(" ").trim().slice(0, 60);
  const here = controls.indexOf(document.activeElement);

  function isBackwards(from, to) {
    const [a, b] = [from, to].map((node) => node.getBoundingClientRect());
    const inwards = from.contains(to);
    return !inwards && b.top < a.bottom - 2 && b.left < a.right - 2;
  }
  const backwards = before >= 0 && here >= 0 && isBackwards(controls[before], controls[here]);
  return {
    expected: controls.map((_, n) => n),
    here,
    backwards: backwards ? `${tell(controls[before])} → ${tell(controls[here])}` : "",
    name: tell(document.activeElement),
  };
}
