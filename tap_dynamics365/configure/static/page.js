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

// Fields that were typed go with whoever goes to another screen.
const fields = document.getElementById("fields");
if (fields) {
  const written = () => new URLSearchParams(new FormData(fields)).toString();
  const began = written();
  document.querySelector(".top nav").addEventListener("click", (event) => {
    const link = event.target.closest("a");
    const opensTab = event.ctrlKey || event.metaKey || event.shiftKey || event.altKey;
    if (link && !opensTab && written() !== began) {
      event.preventDefault();
      const button = document.createElement("button");
      Object.assign(button, { name: "then", value: link.getAttribute("href"), hidden: true });
      fields.append(button);
      fields.requestSubmit(button);
      button.remove();
    }
  });
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

// What a button has done, for everybody: it is shown for a moment, and screen readers read it out.
const said = document.getElementById("said");
let silence;

function say(words, seconds = 6) {
  clearTimeout(silence);
  said.textContent = words;
  silence = setTimeout(() => {
    said.textContent = "";
  }, seconds * 1000);
}

// Nobody answers a script any more.
document.body.addEventListener("htmx:sendError", () => {
  say(
    "The page has ended: dynamics365 configure does not run any more. Files that you have written stay as they are.",
    3600,
  );
});

function showCopies() {
  for (const button of document.querySelectorAll(".copy[hidden]")) {
    button.hidden = false;
    button.addEventListener("click", () => copy(button));
  }
}
// A text that is hidden has no innerText. Browsers refuse the clipboard without a secure context.
async function copy(button) {
  const source = document.getElementById(button.dataset.copies);
  try {
    await navigator.clipboard.writeText(source.textContent);
    say("Copied.");
  } catch {
    source.closest("details")?.setAttribute("open", "");
    getSelection().selectAllChildren(source);
    say("The text is selected: copy it with the keyboard.");
  }
}
showCopies();
document.documentElement.classList.add("scripted");
