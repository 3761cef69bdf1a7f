// The little that a page does by itself: it works without, only less comfortably.
"use strict";

const EVERY = 2000; // milliseconds between two looks at a run

/** Replace the progress of running runs; at their end, the page. */
async function follow(shown) {
  while (shown.dataset.progress) {
    await new Promise((done) => setTimeout(done, EVERY));
    let fresh;
    try {
      const answer = await fetch(shown.dataset.progress, { redirect: "error" });
      if (!answer.ok) break;
      const parsed = new DOMParser().parseFromString(await answer.text(), "text/html");
      fresh = parsed.getElementById("progress");
    } catch {
      continue; // the server is away for a moment
    }
    if (!fresh) break;
    shown.replaceWith(fresh);
    shown = fresh;
    if (!shown.dataset.progress) location.replace(shown.dataset.page);
  }
}

/** Put the whole report in the place of its beginning, when it is made. */
async function complete(shown) {
  const answer = await fetch(shown.dataset.whole, {
    headers: { accept: "text/html" },
    redirect: "error",
  });
  if (!answer.ok) return;
  const parsed = new DOMParser().parseFromString(await answer.text(), "text/html");
  const whole = parsed.getElementById("report");
  if (!whole) return;
  shown.replaceWith(whole);
  if (location.hash) document.getElementById(location.hash.slice(1))?.scrollIntoView();
}

/** Ask before what cannot be undone. */
function confirmed(event) {
  const words = event.submitter?.dataset.confirm;
  if (words && !window.confirm(words)) event.preventDefault();
}

const SCROLLING = "input, select, textarea, summary, .scroll, pre, progress";

/** Left and right lead to the previous and the next, where they do nothing else. */
function turned(event) {
  const rel = { ArrowLeft: "prev", ArrowRight: "next" }[event.key];
  const modified = event.altKey || event.ctrlKey || event.metaKey || event.shiftKey;
  if (!rel || modified || event.target.closest(SCROLLING)) return;
  document.querySelector(`.pager a[rel=${rel}]`)?.click();
}

document.addEventListener("submit", confirmed);
document.addEventListener("keydown", turned);

const progress = document.getElementById("progress");
if (progress) follow(progress);

const report = document.querySelector("[data-whole]");
if (report) complete(report).catch(() => {}); // the link in it leads there too
