// allauth tells of a security key that failed, or was cancelled, to the console alone.
document.addEventListener("allauth.error", (event) => {
  event.preventDefault();
  for (const place of document.querySelectorAll("[data-key-trouble]")) place.hidden = false;
});
