// Shows pictures of the gallery in a dialog, one after the other. Without it, each
// leads to its own page.
(() => {
  "use strict";
  const dialog = document.getElementById("shown");
  const image = document.getElementById("shown-image");
  const page = document.getElementById("shown-page");
  const links = [...document.querySelectorAll("a[data-picture]")];
  if (!dialog || !image || !page || !links.length) return;
  let here = 0;
  const show = (n) => {
    here = (n + links.length) % links.length;
    const link = links[here];
    const small = link.querySelector("img");
    image.src = link.dataset.picture;
    image.alt = small ? small.alt : "";
    page.href = link.href;
    dialog.setAttribute("aria-label", `Picture ${here + 1} of ${links.length}`);
    if (!dialog.open) dialog.showModal();
  };
  links.forEach((link, n) =>
    link.addEventListener("click", (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return; // another tab is asked for
      event.preventDefault();
      show(n);
    }),
  );
  document.getElementById("shown-previous").addEventListener("click", () => show(here - 1));
  document.getElementById("shown-next").addEventListener("click", () => show(here + 1));
  document.getElementById("shown-close").addEventListener("click", () => dialog.close());
  dialog.addEventListener("keydown", (event) => {
    if (event.key === "ArrowLeft") show(here - 1);
    if (event.key === "ArrowRight") show(here + 1);
  });
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close();
  });
  dialog.addEventListener("close", () => {
    image.removeAttribute("src");
    links[here].focus();
  });
})();
