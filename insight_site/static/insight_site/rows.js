/* Rows of a form: a button adds one, one on each row removes it. Without script both buttons send the form.
   Everything listens on the document, so fields that htmx brings later work too. */
(() => {
  "use strict";
  const rowsOf = (node) => node.closest("[data-rows]");
  const listOf = (rows) => rows.querySelector(".row-list");
  const countOf = (rows) => rows.querySelector(`[name="${rows.dataset.rows}-rows"]`);
  const changed = (node) => node.dispatchEvent(new Event("change", { bubbles: true }));
  const reachable = "input:not([type=hidden]):not([hidden]), select";

  /* Numbers in labels follow the order; names keep theirs, and the server leaves out what is missing. */
  function number(rows) {
    const label = rows.querySelector("template").content.querySelector(".row").getAttribute("aria-label");
    const button = rows.querySelector("template").content.querySelector(".remove").getAttribute("aria-label");
    [...listOf(rows).children].forEach((row, place) => {
      row.setAttribute("aria-label", label.replace("__number__", place + 1));
      row.querySelector(".remove").setAttribute("aria-label", button.replace("__number__", place + 1));
    });
  }

  function add(rows) {
    const count = countOf(rows),
      at = Number(count.value);
    if (listOf(rows).children.length >= Number(rows.dataset.most)) return;
    const made = document.createElement("template");
    made.innerHTML = rows.querySelector("template").innerHTML.replaceAll("__row__", at);
    const row = made.content.querySelector(".row");
    listOf(rows).append(row);
    count.value = at + 1;
    number(rows);
    const first = row.querySelector(reachable);
    first.focus();
    // What can be picked is shown at once. After the press that added the row, which would close it.
    if (first.matches("[role=combobox]")) setTimeout(() => document.activeElement === first && first.click());
  }

  function remove(button) {
    const rows = rowsOf(button),
      row = button.closest(".row");
    const next = (row.nextElementSibling ?? row.previousElementSibling)?.querySelector(".remove");
    row.remove();
    number(rows);
    (next ?? rows.querySelector("[name=row_add]")).focus();
    changed(countOf(rows));
  }

  /* A metric over other days has another name: the first choice for its line over these days says it. */
  async function rename(day) {
    const row = day.closest(".row"),
      picker = row.querySelector(".picker"),
      [box, title, line] = ["[role=combobox]", "[data-title]", "[data-line]"].map((part) => picker?.querySelector(part));
    if (!line?.value || box.value !== title.value) return;
    const [first, last] = ["first", "last"].map((part) => row.querySelector(`[name$="-${part}"]`).value);
    const address = new URL(picker.dataset.pick, location.href);
    address.searchParams.set("q", line.value);
    address.searchParams.set("of", `${first}-${last}`);
    const page = new DOMParser().parseFromString(await (await fetch(address)).text(), "text/html");
    const option = page.querySelector("[role=option]");
    if (!option || option.dataset.fillFirst !== first || option.dataset.fillLast !== last) return;
    box.value = title.value = option.querySelector(".name").textContent.trim();
    line.value = option.dataset.value;
  }

  document.addEventListener("click", (event) => {
    const button = event.target instanceof Element && event.target.closest("button[name=row_add], button[name=row_remove]");
    if (!button || !rowsOf(button)) return;
    event.preventDefault();
    if (button.name === "row_add") add(rowsOf(button));
    else remove(button);
  });

  document.addEventListener("change", (event) => {
    if (event.target instanceof Element && event.target.closest(".row .cell:is(.first, .last)")) rename(event.target);
  });

  // Where a number comes from is true of that number alone.
  document.addEventListener("input", (event) => {
    const cell = event.target instanceof Element && event.target.closest(".row .cell:is(.behaviour, .times, .high, .low)");
    cell?.closest(".row").querySelector(".said")?.remove();
  });
})();
