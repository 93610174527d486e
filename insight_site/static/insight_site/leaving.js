// A page that is being left isn't loaded anew: HX-Refresh would break off what a press of a button or a link asked for, and
// whoever pressed it would never see the answer. Who is still here then, since a file was sent, gets it afterwards.
"use strict";
(() => {
  const PATIENCE = 15_000; // milliseconds
  let left = -Infinity;
  addEventListener("beforeunload", () => {
    left = performance.now();
  });
  document.addEventListener("htmx:beforeOnLoad", (event) => {
    const waits = left + PATIENCE - performance.now();
    if (waits <= 0 || !event.detail.xhr.getResponseHeader("HX-Refresh")) return;
    event.preventDefault();
    setTimeout(() => location.reload(), waits);
  });
})();
