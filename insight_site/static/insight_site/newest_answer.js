// A part with data-newest is drawn anew after each change in it. Where a newer change waits, the answer to an older one
// would undo it on the page, so it isn't shown; the newer request, which is queued, carries both.
"use strict";
(() => {
  let changes = 0;
  const count = (event) => {
    if (event.target.closest("[data-newest]")) changes += 1;
  };
  document.addEventListener("input", count, true);
  document.addEventListener("change", count, true);
  document.addEventListener(
    "click",
    (event) => {
      if (event.target.closest("[data-newest] button")) changes += 1;
    },
    true,
  );
  document.addEventListener("htmx:beforeRequest", (event) => {
    if (event.target.closest("[data-newest]")) event.detail.xhr.changes = changes;
  });
  document.addEventListener("htmx:beforeSwap", (event) => {
    const sent = event.detail.xhr.changes;
    if (sent !== undefined && sent !== changes) event.detail.shouldSwap = false;
  });
})();
