// The list of contents says where one is: the last section whose top has passed the upper third of the window.
for (const list of document.querySelectorAll("[data-contents]")) {
  const links = [...list.querySelectorAll('a[href^="#"]')];
  const targets = links.map((link) => document.getElementById(decodeURIComponent(link.hash.slice(1))));
  let waits = false;
  const mark = () => {
    waits = false;
    const line = window.innerHeight / 3;
    let here = -1;
    targets.forEach((target, place) => {
      if (target && target.getBoundingClientRect().top <= line) here = place;
    });
    links.forEach((link, place) => {
      if (place === here) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    });
  };
  const soon = () => {
    if (!waits) {
      waits = true;
      requestAnimationFrame(mark);
    }
  };
  addEventListener("scroll", soon, { passive: true });
  addEventListener("resize", soon);
  mark();
}
