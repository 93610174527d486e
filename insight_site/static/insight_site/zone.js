// Fill in the time zone of this browser where a field asks for a guess; it stays a proposal until somebody confirms it.
const guess = () => {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  for (const field of document.querySelectorAll("input[data-guess-zone]")) {
    if (!zone || field.value !== field.defaultValue) continue; // somebody has typed already
    field.value = zone;
    field.closest("form").querySelector("[data-guessed]")?.removeAttribute("hidden");
  }
};
if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", guess);
else guess();
