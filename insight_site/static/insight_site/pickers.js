/* Pickers: search as you type (WAI-ARIA combobox with a listbox), chips, and buttons that mend a field.
   Everything listens on the document, so fields that htmx brings later work too. Without script they are text fields. */
(() => {
  "use strict";
  const WAIT = 160;
  let timer,
    asking = null,
    open = null;

  const pickerOf = (node) => node.closest(".picker");
  const listOf = (box) => document.getElementById(box.getAttribute("aria-controls"));
  const linesOf = (picker) => picker.querySelector("textarea");
  const isBox = (node) => node instanceof HTMLInputElement && node.getAttribute("role") === "combobox";
  const optionsOf = (box) => [...(listOf(box)?.querySelectorAll("[role=option]") ?? [])]; // none once the box is gone
  const activeOf = (box) => document.getElementById(box.getAttribute("aria-activedescendant") || "");

  /* The same question isn't asked twice at one time: the second answer would take the marked option away. */
  function ask(box, typed) {
    if (asking?.box === box && asking.typed === typed) return asking.answer;
    const answer = fetchOptions(box, typed).finally(() => {
      if (asking?.answer === answer) asking = null;
    });
    asking = { box, typed, answer };
    return answer;
  }

  async function fetchOptions(box, typed) {
    const picker = pickerOf(box);
    const address = new URL(picker.dataset.pick, location.href);
    address.searchParams.set("q", typed);
    if (picker.dataset.of) address.searchParams.set("of", document.getElementById(picker.dataset.of)?.value ?? "");
    await htmx.ajax("GET", address.pathname + address.search, {
      source: picker,
      target: listOf(box),
      swap: "innerHTML",
    });
    if (document.activeElement === box) show(box);
  }

  function number(box) {
    optionsOf(box).forEach((option, place) => {
      option.id = `${box.getAttribute("aria-controls")}_${place}`;
    });
  }

  function show(box) {
    number(box);
    listOf(box).hidden = false;
    box.setAttribute("aria-expanded", "true");
    box.removeAttribute("aria-activedescendant");
    pickerOf(box).querySelector("[role=status]").textContent =
      listOf(box).querySelector("[data-count]")?.dataset.count ?? "";
    open = box;
  }

  function close(box) {
    clearTimeout(timer);
    if (listOf(box)) listOf(box).hidden = true;
    box.setAttribute("aria-expanded", "false");
    box.removeAttribute("aria-activedescendant");
    if (open === box) open = null;
  }

  function mark(box, option) {
    number(box); // an answer that came late has brought options anew: without ids the arrows would stand still
    optionsOf(box).forEach((other) => other.setAttribute("aria-selected", String(other === option)));
    box.setAttribute("aria-activedescendant", option.id);
    option.scrollIntoView({ block: "nearest" });
  }

  function step(box, by) {
    const options = optionsOf(box);
    if (!options.length) return;
    const at = options.indexOf(activeOf(box));
    mark(box, options[at < 0 ? (by > 0 ? 0 : options.length - 1) : (at + by + options.length) % options.length]);
  }

  const changed = (field) => field.dispatchEvent(new Event("change", { bubbles: true }));

  function choose(box, option) {
    if ("goesOn" in option.dataset) {
      box.value = option.dataset.value;
      ask(box, box.value);
      return;
    }
    close(box);
    if (linesOf(pickerOf(box))) {
      addLine(box, option.dataset.value);
    } else {
      const title = pickerOf(box).querySelector("[data-title]");
      box.value = option.dataset.value;
      if (title) {
        box.value = title.value = option.querySelector(".name").textContent.trim();
        pickerOf(box).querySelector("[data-line]").value = option.dataset.value;
      }
      fill(box, option.dataset);
      changed(box);
    }
  }

  /* What a choice says of the other parts of its row; days that it doesn't have are no longer asked for. */
  function fill(box, choice) {
    const row = box.closest(".row");
    if (!row) return;
    for (const [name, value] of Object.entries(choice)) {
      if (!name.startsWith("fill")) continue;
      const part = name.slice(4).toLowerCase();
      const input = row.querySelector(`[name$="-${part}"]`);
      if (input) input.value = value;
      if (part === "first" || part === "last") row.querySelector(`.cell.${part}`)?.toggleAttribute("hidden", !value);
      if (part === "unit") row.querySelectorAll("[data-part=unit]").forEach((node) => (node.textContent = value));
    }
  }

  /* Many: the lines of the textarea are the value, the chips show it. */
  const SQL = /^(?:(?:capped|quantile):(?:[^:]*:)?)?sql:/,
    BEGINS = /^[a-z_]+:/;
  const linesIn = (area) =>
    area.value
      .split("\n")
      .map((line) => line.trim())
      .filter(Boolean)
      .reduce((all, line) => {
        const last = all.at(-1); // an SQL metric goes on until a line begins another outcome
        return last && SQL.test(last) && !BEGINS.test(line) ? [...all.slice(0, -1), `${last} ${line}`] : [...all, line];
      }, []);

  function addLine(box, value) {
    const area = linesOf(pickerOf(box));
    const lines = linesIn(area);
    box.value = "";
    if (!value || lines.includes(value)) return;
    area.value = [...lines, value].join("\n");
    changed(area);
  }

  function showChips(area) {
    const picker = pickerOf(area);
    const token = area.form?.querySelector("[name=csrfmiddlewaretoken]")?.value ?? "";
    const short = encodeURIComponent(area.value).length < 3000; // longer addresses are refused by servers
    return htmx.ajax(short ? "GET" : "POST", picker.dataset.chips, {
      source: picker,
      target: picker.querySelector(".chips"),
      swap: "innerHTML",
      values: short ? { lines: area.value } : { lines: area.value, csrfmiddlewaretoken: token },
    });
  }

  /* The order of the lines is that of the chips. The moved chip keeps the focus, and its new place is said. */
  async function move(button) {
    const picker = pickerOf(button);
    const area = linesOf(picker),
      value = button.dataset.value,
      by = Number(button.dataset.move);
    const lines = linesIn(area);
    const from = lines.indexOf(value),
      to = from + by;
    if (from < 0 || to < 0 || to >= lines.length) return;
    lines.splice(to, 0, ...lines.splice(from, 1));
    area.value = lines.join("\n");
    await showChips(area);
    const again = [...picker.querySelectorAll("[data-move]")].filter((node) => node.dataset.value === value);
    (again.find((node) => Number(node.dataset.move) === by && !node.disabled) ?? again.find((node) => !node.disabled))?.focus();
    picker.querySelector("[role=status]").textContent = `${to + 1} / ${lines.length}`;
  }

  function begin(root) {
    root.querySelectorAll?.(".picker.many").forEach((picker) => {
      picker.querySelector("input[role=combobox]").hidden = false;
      const field = picker.closest(".field");
      picker.querySelector(".aslines").open = Boolean(
        field?.classList.contains("wrong") && !picker.querySelector(".chip"),
      );
    });
  }

  /* A mend: the field gets its value here; without script the button sends the form. */
  function mend(button) {
    const field = document.getElementById(`id_${button.dataset.field}`);
    if (!field) return false;
    const again = () => document.getElementById(`id_${button.dataset.field}`) ?? field;
    field.value = button.dataset.value;
    const place = field.closest(".field");
    field.closest("details:not([open])")?.setAttribute("open", "");
    place?.classList.remove("wrong");
    place?.querySelectorAll(".errorlist, .mends").forEach((node) => node.closest(".builder") || node.remove());
    changed(field);
    (place?.querySelector("input[role=combobox]:not([hidden])") ?? again()).focus();
    return true;
  }

  document.addEventListener("input", (event) => {
    if (!isBox(event.target)) return;
    clearTimeout(timer);
    timer = setTimeout(() => ask(event.target, event.target.value), WAIT);
  });

  document.addEventListener("change", (event) => {
    if (event.target instanceof HTMLTextAreaElement && pickerOf(event.target)?.dataset.chips) showChips(event.target);
  });

  document.addEventListener("keydown", (event) => {
    const box = event.target;
    if (!isBox(box) || event.isComposing) return;
    const shown = open === box;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (shown) step(box, event.key === "ArrowDown" ? 1 : -1);
      else ask(box, linesOf(pickerOf(box)) ? box.value : "").then(() => step(box, event.key === "ArrowDown" ? 1 : -1));
    } else if (event.key === "Enter" && shown) {
      event.preventDefault();
      const option = activeOf(box);
      if (option) choose(box, option);
      else if (linesOf(pickerOf(box))) {
        addLine(box, box.value.trim());
        close(box);
      } else close(box);
    } else if (event.key === "Enter" && linesOf(pickerOf(box))) {
      event.preventDefault();
      addLine(box, box.value.trim());
    } else if (event.key === "Escape" && shown) {
      event.preventDefault();
      close(box);
    } else if (event.key === "Backspace" && !box.value && linesOf(pickerOf(box))) {
      const area = linesOf(pickerOf(box));
      area.value = linesIn(area).slice(0, -1).join("\n");
      changed(area);
    }
  });

  document.addEventListener("mousedown", (event) => {
    if (event.target instanceof Element && event.target.closest("[role=listbox]")) event.preventDefault();
  });

  document.addEventListener("click", (event) => {
    const at = event.target;
    if (!(at instanceof Element)) return;
    if (isBox(at)) {
      if (open !== at) ask(at, linesOf(pickerOf(at)) ? at.value : "");
      return;
    }
    const option = at.closest("[role=option]");
    if (option && open) {
      choose(open, option);
      return;
    }
    const remove = at.closest("[data-remove]");
    if (remove) {
      const area = linesOf(pickerOf(remove));
      area.value = linesIn(area)
        .filter((line) => line !== remove.dataset.remove)
        .join("\n");
      changed(area);
      pickerOf(remove).querySelector("input[role=combobox]").focus();
      return;
    }
    const mover = at.closest("button[data-move]");
    if (mover) {
      move(mover);
      return;
    }
    const button = at.closest("button[name=mend]");
    if (button && mend(button)) event.preventDefault();
  });

  document.addEventListener("focusout", (event) => {
    if (isBox(event.target) && open === event.target) close(event.target);
  });
  /* Leaving a page ends its requests, and htmx would report each of them as an error. */
  window.addEventListener("beforeunload", () => {
    console.error = () => {};
  });
  document.addEventListener("DOMContentLoaded", () => begin(document));
  document.addEventListener("htmx:load", (event) => begin(event.target));
})();
