/** Every visible text of a view, its colours, and their contrast after WCAG 2.2. */
(view) => {
  const paint = document.createElement("canvas").getContext("2d", { willReadFrequently: true });

  /** A colour of CSS, of whatever notation, as red, green, blue and alpha. */
  function parse(colour) {
    paint.clearRect(0, 0, 1, 1);
    paint.fillStyle = colour;
    paint.fillRect(0, 0, 1, 1);
    const [red, green, blue, alpha] = paint.getImageData(0, 0, 1, 1).data;
    return [red, green, blue, alpha / 255];
  }
  function over([red, green, blue, alpha], below) {
    return [red, green, blue].map((one, n) => one * alpha + below[n] * (1 - alpha));
  }
  function background(node) {
    if (!node) return [255, 255, 255];
    const style = getComputedStyle(node);
    return over(parse(style.backgroundColor), background(node.parentElement));
  }
  function luminance(colour) {
    const [red, green, blue] = colour.map((one) => one / 255)
      .map((one) => (one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4));
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  }
  function opacity(node) {
    return node ? Number(getComputedStyle(node).opacity) * opacity(node.parentElement) : 1;
  }
  function tell(node, text, colour) {
    const below = background(node);
    const [red, green, blue, alpha] = parse(colour);
    const above = over([red, green, blue, alpha * opacity(node)], below);
    const [dark, light] = [luminance(above), luminance(below)].sort((a, b) => a - b);
    return { text: text.trim().slice(0, 200), ratio: (light + 0.05) / (dark + 0.05),
      colour: above.join(), background: below.join(), node: `${node.tagName} ${node.className}` };
  }
  function visible(node) {
    const box = node.getBoundingClientRect();
    return node.checkVisibility({ visibilityProperty: true }) && box.width > 1 && box.height > 1;
  }

  const seen = [];
  const texts = document.createTreeWalker(view, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const node = texts.currentNode.parentElement;
    const text = texts.currentNode.textContent;
    if (text.trim() && visible(node)) seen.push(tell(node, text, getComputedStyle(node).color));
  }
  for (const node of view.querySelectorAll("input:not([type=checkbox]), textarea, select")) {
    if (!visible(node)) continue;
    seen.push(tell(node, `value: ${node.value}`, getComputedStyle(node).color));
    if (node.placeholder) {
      seen.push(tell(node, node.placeholder, getComputedStyle(node, "::placeholder").color));
    }
  }
  return seen;
}
