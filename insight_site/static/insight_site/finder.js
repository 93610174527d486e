// "/" goes to the search box of every page; where the menu is folded, it opens first. Not while somebody types.
document.addEventListener("keydown", (event) => {
  const box = document.getElementById("finder");
  const typing = event.target.closest("input, textarea, select, [contenteditable]");
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || typing || !box) return;
  event.preventDefault();
  if (!box.checkVisibility()) document.getElementById("menu").showPopover();
  box.focus();
  box.select();
});
