// Curves answer the mouse, a finger and the keyboard with a crosshair and what every series is at that place; entries of a legend hide and
// show their series.
//
// Charts are drawn on the server. In each curve an invisible line stands at every place that can be read (.reading_marks, made by
// `readings` of reporting.charts and of reporting.plain_svg), and its aria-label is what is to be said there: a heading, then a line per
// series with name and value apart by a tab. So this script knows nothing of scales, formats and languages; it finds the nearest line and
// shows it. Marks of a series have its name as their aria-label. Without this script a chart is a picture with its table, as before.
(() => {
  const hint = document.getElementById("chart-hint");
  if (!hint) return;
  const spoken = document.getElementById("chart-reading");
  const tip = document.createElement("div");
  tip.className = "chart-tip";
  tip.hidden = true;
  tip.setAttribute("aria-hidden", "true"); // what it says is spoken by the live region
  document.body.append(tip);
  let here = null; // the line, or cell of a heat map, that is read now

  const stopsOf = (chart) => [...chart.querySelectorAll('[class*="reading_"] line, .heat td[data-reading]')];
  const chartOf = (node) => node.closest?.(".drawn.read, .scroll.read");
  const namesOff = (chart) => [...chart.querySelectorAll('[aria-pressed="false"]')].map((entry) => entry.dataset.series);

  function rowsOf(stop) {
    const [heading, ...rows] = stop.dataset.reading.split("\n");
    const off = namesOff(chartOf(stop));
    return [heading, rows.map((row) => row.split("\t")).filter(([name]) => !off.includes(name))];
  }

  function signOf(chart, name) {
    const entry = [...chart.querySelectorAll("[data-series]")].find((one) => one.dataset.series === name);
    const mark = entry?.querySelector(".role-legend-symbol > *");
    const sign = document.createElement("i");
    if (mark) sign.style.background = getComputedStyle(mark).stroke;
    return sign;
  }

  function show(stop, beside) {
    here?.classList.remove("here");
    here = stop;
    stop.classList.add("here");
    const chart = chartOf(stop);
    const [heading, rows] = rowsOf(stop);
    const top = document.createElement("b");
    top.textContent = heading;
    const list = document.createElement("dl");
    for (const [name, value] of rows) {
      const [term, said] = [document.createElement("dt"), document.createElement("dd")];
      term.append(signOf(chart, name), name);
      said.textContent = value;
      list.append(term, said);
    }
    const way = document.createElement("small");
    way.textContent = linkOf(stop) ? chart.dataset.said : "";
    tip.replaceChildren(top, ...(rows.length ? [list] : []), ...(way.textContent ? [way] : []));
    tip.hidden = false;
    const line = stop.getBoundingClientRect();
    const at = beside ?? { x: line.left + line.width / 2, y: line.top };
    const room = document.documentElement.clientWidth;
    const left = at.x + 14 + tip.offsetWidth > room - 8 ? at.x - 14 - tip.offsetWidth : at.x + 14;
    tip.style.left = `${Math.max(8, Math.min(left, room - 8 - tip.offsetWidth))}px`;
    tip.style.top = `${Math.max(8, Math.min(at.y + 10, window.innerHeight - 8 - tip.offsetHeight))}px`;
  }

  // Where the users of a line or cell are shown; "" where no page shows them.
  function linkOf(stop) {
    const chart = chartOf(stop);
    if (stop.dataset.link && chart.dataset.users) return `${chart.dataset.users}&${stop.dataset.link}`;
    return stop.querySelector("a")?.href ?? "";
  }

  function say(stop) {
    const [heading, rows] = rowsOf(stop);
    spoken.textContent = [heading, ...rows.map((row) => row.join(": "))].join("; ");
  }

  function close() {
    here?.classList.remove("here");
    here = null;
    tip.hidden = true;
    spoken.textContent = "";
  }

  // ── Mouse and finger ──────────────────────────────────────────────────────
  function nearest(chart, x, y) {
    let found = null;
    let least = Infinity;
    for (const line of chart.querySelectorAll('[class*="reading_"] line')) {
      const box = line.getBoundingClientRect();
      const above = Math.max(box.top - y, y - box.bottom, 0); // of several panels, the one that is pointed at
      const far = above * 1000 + Math.abs(box.left - x);
      if (above < 24 && far < least) [found, least] = [line, far];
    }
    return found;
  }

  function point(event) {
    const chart = chartOf(event.target);
    const cell = chart && event.target.closest("td[data-reading]");
    const stop = chart && (cell ?? nearest(chart, event.clientX, event.clientY));
    if (stop) show(stop, { x: event.clientX, y: event.clientY });
    else if (here && (event.pointerType !== "touch" || event.type === "pointerdown")) close();
  }
  document.addEventListener("pointermove", point, { passive: true });
  document.addEventListener("pointerdown", point, { passive: true });
  function follow() {
    if (here?.matches(":focus-within .here")) show(here);
    else if (here) close();
  }
  document.addEventListener("scroll", follow, { capture: true, passive: true });

  // ── Keyboard ──────────────────────────────────────────────────────────────
  function next(chart, key) {
    const stops = stopsOf(chart);
    if (!stops.includes(here)) return key === "End" ? stops.at(-1) : stops[0];
    const lines = [...new Set(stops.map((stop) => stop.parentNode))].map((group) => stops.filter((stop) => stop.parentNode === group));
    const row = lines.findIndex((line) => line.includes(here));
    const place = lines[row].indexOf(here);
    const rowNow = lines[Math.max(0, Math.min(lines.length - 1, row + ((key === "ArrowDown") - (key === "ArrowUp"))))];
    const to = { Home: 0, End: rowNow.length - 1 }[key] ?? place + ((key === "ArrowRight") - (key === "ArrowLeft"));
    return rowNow[Math.max(0, Math.min(rowNow.length - 1, to))];
  }

  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && here) return close();
    const entry = event.target.closest?.("g[data-series]");
    if (entry && ["Enter", " "].includes(event.key)) {
      event.preventDefault();
      return toggle(entry);
    }
    const chart = chartOf(event.target);
    if (event.key === "Enter" && here && chart === event.target && linkOf(here)) return location.assign(linkOf(here));
    const keys = ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Home", "End"];
    if (chart !== event.target || !keys.includes(event.key) || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    const stop = next(chart, event.key);
    stop.scrollIntoView({ block: "nearest", inline: "nearest" });
    show(stop);
    say(stop);
  });
  document.addEventListener("focusout", (event) => here && chartOf(event.target)?.contains(here) && close());

  // ── Legends ───────────────────────────────────────────────────────────────
  function toggle(entry) {
    const shown = entry.getAttribute("aria-pressed") === "false";
    entry.setAttribute("aria-pressed", String(shown));
    for (const mark of marksOf(entry.closest("svg"), entry.dataset.series)) mark.classList.toggle("off", !shown);
    if (here) close();
  }
  document.addEventListener("click", (event) => {
    const entry = event.target.closest?.("g[data-series]");
    if (entry) return toggle(entry);
    // A finger asks what stands there; a mouse knows already.
    if (event.pointerType === "mouse" && here?.matches("line") && chartOf(event.target)?.contains(here) && linkOf(here))
      location.assign(linkOf(here));
  });

  const marksOf = (svg, name) =>
    [...svg.querySelectorAll("[data-reading]")].filter((mark) => mark.dataset.reading === name);

  function makeButtons(svg) {
    const entries = [...svg.querySelectorAll(".role-legend-entry .role-scope > g")];
    const labels = new Set([...svg.querySelectorAll("[data-reading]")].map((mark) => mark.dataset.reading));
    const names = entries.map((entry) => {
      const text = entry.querySelector(".role-legend-label")?.textContent ?? "";
      return text.endsWith("…") ? [...labels].find((label) => label.startsWith(text.slice(0, -1))) : text; // cut by the renderer
    });
    if (entries.length < 2 || !names.every((name) => labels.has(name))) return;
    entries.forEach((entry, place) => {
      const box = entry.getBBox();
      const ground = document.createElementNS("http://www.w3.org/2000/svg", "rect"); // letters alone are a small thing to hit
      const sides = { x: box.x - 5, y: box.y - 6, width: box.width + 10, height: box.height + 12, rx: 4, class: "ground" };
      for (const [name, value] of Object.entries(sides)) ground.setAttribute(name, value);
      entry.prepend(ground);
      entry.dataset.series = names[place];
      for (const [name, value] of Object.entries({ role: "button", tabindex: 0, "aria-pressed": true, "aria-label": names[place] }))
        entry.setAttribute(name, value);
    });
  }

  // ── Which charts ──────────────────────────────────────────────────────────
  function prepare(root) {
    for (const chart of root.querySelectorAll(".drawn:not(.read)")) {
      const svg = chart.querySelector("svg");
      if (!svg?.querySelector('[class*="reading_"]')) continue;
      chart.classList.add("read");
      for (const title of svg.querySelectorAll("title")) title.remove(); // the browser's own tooltip would cover ours
      for (const part of svg.querySelectorAll("[role], [aria-label]")) {
        if (part.hasAttribute("aria-label")) part.dataset.reading = part.getAttribute("aria-label");
        for (const name of ["role", "aria-label", "aria-roledescription"]) part.removeAttribute(name); // read by the script alone
      }
      makeButtons(svg);
      chart.setAttribute("role", "application"); // else a screen reader keeps the arrow keys for itself
      chart.setAttribute("aria-describedby", "chart-hint");
    }
    for (const table of root.querySelectorAll(".scroll:not(.read):has(> .heat td[title])")) {
      table.classList.add("read");
      table.setAttribute("aria-describedby", "chart-hint");
      for (const cell of table.querySelectorAll("td[title]")) {
        cell.dataset.reading = cell.title;
        cell.removeAttribute("title");
      }
    }
  }
  prepare(document);
  document.addEventListener("htmx:load", (event) => prepare(event.target.parentNode ?? document));
})();
