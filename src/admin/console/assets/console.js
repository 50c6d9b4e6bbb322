// What the pages can do besides: everything is readable and can be sent without it.
"use strict";

const said = document.getElementById("said");

for (const button of document.querySelectorAll("button[data-copy]")) {
  if (!navigator.clipboard) break;
  button.hidden = false;
  button.addEventListener("click", async () => {
    const text = document.getElementById(button.dataset.copy).textContent;
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = "Copied";
      said.textContent = "Copied";
    } catch {
      button.textContent = "Not copied";
      said.textContent = "The browser does not let this page copy. Mark the text and copy it yourself.";
    }
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  });
}
