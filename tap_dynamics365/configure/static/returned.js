// Goes back to the page. A redirect of the server would come from the sign-in host, and browsers
// would not send the cookie with it.
"use strict";

location.replace(document.getElementById("back").href);
