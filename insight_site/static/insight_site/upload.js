// Sends a file in pieces of a megabyte: shows how far it is, goes on after a lost connection, and then opens the next page.
"use strict";
(() => {
  const form = document.getElementById("upload-form");
  const chooser = document.getElementById("id_file");
  const wrong = document.getElementById("file-wrong");
  const sending = document.getElementById("sending");
  const bar = sending.querySelector("progress");
  const said = sending.querySelector("[role=status]");
  const stop = document.getElementById("upload-stop");
  const button = form.querySelector("button[type=submit]");
  const token = form.querySelector("[name=csrfmiddlewaretoken]").value;
  const TRIES = 6;
  let stopper = null;

  const complain = (sentence) => {
    const item = document.createElement("li");
    item.textContent = sentence;
    wrong.replaceChildren(item);
    chooser.setAttribute("aria-invalid", "true");
    chooser.closest(".field").classList.add("wrong");
  };
  const busy = (on) => {
    button.disabled = on;
    chooser.disabled = on;
    stop.hidden = !on;
    sending.hidden = !on;
  };
  const megabytes = (bytes) => (bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0);
  const show = (sent, all) => {
    const percent = Math.floor((100 * sent) / all);
    if (percent === bar.value && sent < all) return;
    bar.value = percent;
    said.textContent =
      sent < all
        ? `${form.dataset.sending}: ${percent}% (${megabytes(sent)} / ${megabytes(all)} MB)`
        : form.dataset.reading;
  };
  const wait = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));
  const post = async (address, body, type) => {
    const headers = { "X-CSRFToken": token };
    if (type) headers["Content-Type"] = type;
    const answer = await fetch(address, { method: "POST", headers, body, signal: stopper.signal, redirect: "error" });
    if (answer.status >= 500) throw new TypeError("try again");
    const said = await answer.json();
    if (!answer.ok) throw new Error(said.error || form.dataset.lost);
    return said;
  };
  const send = async (file) => {
    const place = await post(form.action, new URLSearchParams({ name: file.name, size: file.size }));
    let sent = 0;
    let tries = 0;
    show(0, file.size);
    for (;;) {
      try {
        const piece = file.slice(sent, sent + place.bytes);
        const answer = await post(`${place.pieces}?at=${sent}`, piece, "application/octet-stream");
        if (answer.next) return answer.next;
        sent = answer.received;
        tries = 0;
      } catch (trouble) {
        if (!(trouble instanceof TypeError) || ++tries > TRIES) throw trouble;
        await wait(500 * 2 ** tries);
      }
      show(sent, file.size);
    }
  };
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    wrong.replaceChildren();
    chooser.removeAttribute("aria-invalid");
    chooser.closest(".field").classList.remove("wrong");
    const file = chooser.files[0];
    if (!file) {
      complain(form.dataset.none);
      chooser.focus();
      return;
    }
    stopper = new AbortController();
    busy(true);
    try {
      location.assign(await send(file));
    } catch (trouble) {
      busy(false);
      if (trouble.name !== "AbortError") {
        const lost = trouble instanceof TypeError || trouble instanceof SyntaxError;
        complain(lost ? form.dataset.lost : trouble.message);
        chooser.focus();
      }
    }
  });
  stop.addEventListener("click", () => stopper && stopper.abort());
})();
