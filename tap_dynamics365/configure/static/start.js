// Sends the key in the fragment of the address, and removes it from the address and the history.
"use strict";

const key = new URLSearchParams(location.hash.slice(1)).get("k");
if (key) {
  history.replaceState(null, "", "/");
  document.getElementById("key").value = key;
  document.getElementById("start").requestSubmit();
}
