// The palette of every page: "/" (unless somebody types), Ctrl+K or ⌘K. A combobox with a list, as ARIA's authoring guide has it:
// the focus stays in the field, and aria-activedescendant names the chosen hit.
const palette = document.getElementById("palette");

if (palette) {
  const text = document.getElementById("palette-text");
  const list = document.getElementById("palette-hits");
  const state = document.getElementById("palette-state");
  let chosen = -1;
  let asking = null;
  let timer = 0;
  let shownFor = null;

  const options = () => [...list.querySelectorAll("[role=option]")];

  const choose = (place) => {
    const all = options();
    all.forEach((option, at) => option.setAttribute("aria-selected", String(at === place)));
    chosen = all.length ? place : -1;
    if (chosen < 0) {
      text.removeAttribute("aria-activedescendant");
      return;
    }
    text.setAttribute("aria-activedescendant", all[chosen].id);
    all[chosen].scrollIntoView({ block: "nearest" });
  };

  const element = (name, attributes, words) => {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    if (words) made.textContent = words;
    return made;
  };

  const show = (groups) => {
    list.replaceChildren();
    let number = 0;
    groups.forEach((group, at) => {
      const part = element("div", { role: "group", "aria-labelledby": `palette-group-${at}` });
      part.append(element("div", { id: `palette-group-${at}`, class: "group", role: "presentation" }, group.name));
      for (const hit of group.hits) {
        const option = element("a", { role: "option", id: `palette-hit-${number}`, href: hit.url, tabindex: "-1" }, hit.title);
        if (hit.note) option.append(" ", element("span", { class: "soft fine" }, hit.note));
        part.append(option);
        number += 1;
      }
      list.append(part);
    });
    text.setAttribute("aria-expanded", String(number > 0));
    state.textContent = number ? "" : state.dataset.none;
    choose(number ? 0 : -1);
  };

  const ask = async () => {
    if (asking) asking.abort();
    asking = new AbortController();
    const wanted = text.value;
    try {
      const answer = await fetch(`${palette.dataset.find}?q=${encodeURIComponent(wanted)}`, { signal: asking.signal });
      if (!answer.ok) throw new Error(answer.statusText);
      show((await answer.json()).groups);
      shownFor = wanted;
    } catch (trouble) {
      if (trouble.name !== "AbortError") {
        show([]);
        state.textContent = state.dataset.away;
      }
    }
  };

  const open = () => {
    if (palette.open) {
      text.select();
      return;
    }
    palette.showModal();
    text.value = "";
    ask();
  };

  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest("input, textarea, select, [contenteditable]");
    const slash = event.key === "/" && !event.ctrlKey && !event.metaKey && !event.altKey && !typing;
    const command = event.key.toLowerCase() === "k" && (event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey;
    if (!slash && !command) return;
    event.preventDefault();
    open();
  });

  text.addEventListener("input", (event) => {
    if (event.isComposing && !text.value) return;
    clearTimeout(timer);
    timer = setTimeout(ask, 120);
  });

  text.addEventListener("keydown", (event) => {
    if (event.isComposing) return; // a Korean syllable that is still being written
    const last = options().length - 1;
    if (event.key === "ArrowDown") choose(chosen >= last ? 0 : chosen + 1);
    else if (event.key === "ArrowUp") choose(chosen <= 0 ? last : chosen - 1);
    else if (event.key === "Home" && chosen >= 0 && !text.value) choose(0);
    else if (event.key === "End" && chosen >= 0 && !text.value) choose(last);
    else if (event.key === "Enter" && chosen >= 0 && shownFor === text.value) options()[chosen].click();
    else return;
    event.preventDefault();
  });

  // A click beside the dialog closes it; Escape does so by itself, and the browser gives the focus back.
  palette.addEventListener("click", (event) => {
    if (event.target === palette) palette.close();
  });
}
