// Gives each block of commands a button that copies it. Without this script, people select the text.

"use strict";

if (navigator.clipboard) {
  for (const block of document.querySelectorAll("pre[data-copy]")) {
    const text = block.textContent;
    const button = document.createElement("button");
    button.type = "button";
    button.className = "quiet copy";
    button.textContent = "Copy";
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(text);
        button.textContent = "Copied";
      } catch {
        button.textContent = "Select the text and copy it";
      }
    });
    block.before(button);
  }
}
