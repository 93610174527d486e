// A slider and the number beside it are one value; htmx asks for the result when either moves.
document.addEventListener("input", (event) => {
  const moved = event.target;
  const number = moved.dataset.slides && document.getElementById(moved.dataset.slides);
  if (number) {
    number.value = moved.value;
  } else if (moved.id) {
    const slider = document.querySelector(`[data-slides="${moved.id}"]`);
    if (slider) slider.value = moved.value;
  }
});
