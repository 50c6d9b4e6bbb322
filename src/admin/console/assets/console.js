// What the pages can do besides: everything is readable and can be sent without it.
"use strict";

const said = document.getElementById("said");

// Writes as they come. The page that was loaded holds those up to a number; the browser remembers the last one it was told.
const live = document.getElementById("live");
if (live) {
  const told = document.getElementById("told");
  const source = new EventSource(`/console/activity/events?after=${live.dataset.after}`);
  const state = (text, kind) => {
    live.textContent = text;
    live.className = `tag ${kind}`;
  };
  source.addEventListener("open", () => state("live", "good"));
  source.addEventListener("error", () => state("connecting", "note"));
  source.addEventListener("message", (event) => {
    const holder = document.createElement("template");
    holder.innerHTML = event.data;
    const write = holder.content.firstElementChild;
    write.classList.add("new");
    told.prepend(write);
    while (told.children.length > 200) told.lastElementChild.remove();
    document.querySelector(".nothing").hidden = true;
    said.textContent = write.querySelector("summary").textContent;
  });
}

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
