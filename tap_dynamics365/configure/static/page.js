// What the page does beyond forms and links: it works without this too.
"use strict";

const list = document.getElementById("tables");

// The list is filtered while you type. The server also looks at columns, when the form is sent.
const text = document.getElementById("text");
if (list && text) {
  const rows = [...list.tBodies[0].rows].map((row) => [
    row,
    row.cells[1].textContent.toLowerCase(),
  ]);
  const began = text.value;
  text.addEventListener("input", () => {
    const wanted = text.value.trim().toLowerCase();
    for (const [row, words] of rows) {
      row.hidden = text.value !== began && !words.includes(wanted);
    }
  });
  document.getElementById("which").addEventListener("change", (event) => event.target.form.submit());
}

// Buttons that only a script can offer.
const tickAll = (ticked) => () => {
  for (const row of list.tBodies[0].rows) {
    if (!row.hidden) {
      row.querySelector("input[type=checkbox]").checked = ticked;
    }
  }
  list.dispatchEvent(new Event("change", { bubbles: true }));
};
for (const [name, ticked] of [["tick-all", true], ["tick-none", false]]) {
  const button = document.querySelector(`.${name}`);
  if (button) {
    button.hidden = false;
    button.addEventListener("click", tickAll(ticked));
  }
}

// Whoever ticks columns also chooses the table.
document.body.addEventListener("htmx:afterRequest", (event) => {
  const { table } = event.detail.elt.dataset;
  const box = table && list?.querySelector(`input[value="${CSS.escape(table)}"]`);
  if (box) {
    box.checked = true;
  }
});

// What was loaded is read out and scrolled to.
document.body.addEventListener("htmx:afterSwap", (event) => {
  if (event.detail.target.id === "detail") {
    event.detail.target.querySelector("#table-heading")?.focus();
  }
  showCopies();
});

function showCopies() {
  for (const button of document.querySelectorAll(".copy[hidden]")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(document.getElementById(button.dataset.copies).innerText);
      button.textContent = "Copied";
    });
  }
}
showCopies();
document.documentElement.classList.add("scripted");
