// Pages under /data/: copy a snippet; pause a part that fetches itself, by a button or because nobody looks.
document.addEventListener("click", (event) => {
  const copy = event.target.closest("[data-copy]");
  if (copy) {
    const place = document.querySelector(copy.dataset.copy);
    getSelection().selectAllChildren(place); // where the browser lends no clipboard, one key is left to press
    navigator.clipboard?.writeText(place.textContent).then(() => {
      copy.textContent = copy.dataset.done;
    });
  }
  const pause = event.target.closest("[data-pause]");
  if (pause) {
    const stopped = pause.getAttribute("aria-pressed") !== "true";
    pause.setAttribute("aria-pressed", String(stopped));
    [pause.textContent, pause.dataset.paused] = [pause.dataset.paused, pause.textContent];
    document.querySelector(pause.dataset.pause).classList.toggle("paused", stopped);
  }
});
document.addEventListener("htmx:beforeRequest", (event) => {
  const part = event.target;
  const reading = part.contains(document.activeElement) && part.querySelector("details[open]");
  if (part.id === "tail" && (document.hidden || part.classList.contains("paused") || reading)) event.preventDefault();
});
