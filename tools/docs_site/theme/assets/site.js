// What the theme leaves out for those who don't see the page or use no mouse: a name, and scrolling by keyboard.
window.addEventListener("load", () => {
  const korean = document.documentElement.lang === "ko"
  document.querySelector(".md-search").setAttribute("aria-label", korean ? "검색" : "Search")
  for (const one of document.querySelectorAll(".md-typeset__scrollwrap, .md-search__scrollwrap")) one.tabIndex = 0
})

// The versions that lie beside this one, as a list in the header. versions.json is written by tools/docs_site.
void (async () => {
  const { base: away } = JSON.parse(document.getElementById("__config").textContent)
  const base = new URL(`${away.replace(/\/$/, "")}/`, location.href)
  const root = document.documentElement.lang === "ko" ? new URL("../../", base) : new URL("../", base)
  let versions
  try {
    versions = await (await fetch(new URL("versions.json", root))).json()
  } catch {
    return // opened as a file, or moved without its list
  }
  const here = location.href.slice(root.href.length).split("/")[0]
  const list = document.createElement("select")
  list.setAttribute("aria-label", document.documentElement.lang === "ko" ? "버전" : "Version")
  for (const version of versions) list.add(new Option(version, version, false, version === here))
  list.addEventListener("change", () => { location.href = new URL(`${list.value}/index.html`, root).href })
  const place = document.createElement("div")
  place.className = "versions"
  place.append(list)
  document.querySelector(".md-header__title").after(place)
})()
