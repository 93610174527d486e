// Names for what the admin's own widgets leave nameless. They are made while the page loads, some by jQuery right after.
window.addEventListener("load", () => setTimeout(() => {
  for (const field of document.querySelectorAll(".vDateField, .vTimeField")) {
    if (field.labels.length) continue;
    const named = field.closest("[class*='field-']")?.querySelector("label, legend")?.textContent.trim() ?? "";
    field.setAttribute("aria-label", `${named} ${field.placeholder}`.trim());
  }
  for (const field of document.querySelectorAll(".select2-search__field:not([aria-label])")) {
    const list = field.closest(".select2")?.parentElement.querySelector("select");
    field.setAttribute("aria-label", list?.labels[0]?.textContent.trim() || list?.name || "");
  }
  for (const note of document.querySelectorAll(".help-tooltip[aria-label]")) note.setAttribute("role", "img");
  // Unfold lays labels into a list without items.
  for (const list of document.querySelectorAll("#change-history ul:not(:has(> li))")) list.setAttribute("role", "group");
}));
