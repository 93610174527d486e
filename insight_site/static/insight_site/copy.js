// A button beside code copies it; without script, or where the browser forbids it, the text can be selected as ever.
if (navigator.clipboard) {
  for (const button of document.querySelectorAll("[data-copy]")) {
    button.hidden = false;
    const words = button.textContent;
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
      button.textContent = button.dataset.done;
      setTimeout(() => {
        button.textContent = words;
      }, 2000);
    });
  }
}
