// Keeps a page that is looked at up to date, and lets keys lead to others. Pages work
// without it.
(() => {
  "use strict";
  const every = 5000; // ms
  const patience = 10 * 60 * 1000; // ms without a hand on the page, after which it asks no more

  // What is new of the page is asked for while it is visible, and only then. A page
  // that has not changed is answered 304.
  const live = document.getElementById("live");
  const state = document.getElementById("live-state");
  if (live && state) {
    let tag = "";
    let timer = 0;
    let touched = Date.now();
    let stopped = false;
    const say = (text) => {
      if (state.textContent !== text) state.textContent = text;
    };
    const again = () => {
      clearTimeout(timer);
      if (!document.hidden && !stopped) timer = setTimeout(ask, every);
    };
    const stop = (text) => {
      stopped = true;
      clearTimeout(timer);
      state.textContent = "";
      const button = document.createElement("button");
      button.type = "button";
      button.className = "plain";
      button.textContent = text;
      button.addEventListener("click", () => (text.startsWith("Paused") ? goOn() : location.reload()));
      state.append(button);
    };
    const goOn = () => {
      touched = Date.now();
      if (!stopped) return;
      stopped = false;
      ask();
    };
    const show = (html) => {
      const focused = live.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
      const open = [...live.querySelectorAll("details[open][id]")].map((d) => d.id);
      const unfolds = live.contains(document.activeElement) && document.activeElement.closest("summary")?.parentElement.id;
      live.innerHTML = html;
      for (const id of open) document.getElementById(id)?.setAttribute("open", "");
      if (unfolds) document.getElementById(unfolds)?.querySelector("summary")?.focus();
      if (focused) live.querySelector(`[href="${CSS.escape(focused)}"]`)?.focus();
    };
    const ask = async () => {
      if (document.hidden || stopped) return;
      if (Date.now() - touched > patience) {
        stop("Paused: click to go on");
        return;
      }
      try {
        const headers = { Accept: "text/x-fragment" };
        if (tag) headers["If-None-Match"] = tag;
        const answer = await fetch(location.pathname + location.search, { headers, cache: "no-store", redirect: "error" });
        if (answer.status === 401 || answer.status === 403) {
          stop("You are logged out: log in again");
          return;
        }
        if (answer.status === 410) {
          stop("Kept up to date no more: read again");
          return;
        }
        if (answer.status === 200) {
          tag = answer.headers.get("ETag") || "";
          show(await answer.text());
        }
        if (answer.ok || answer.status === 304) {
          say("As of " + new Date().toISOString().slice(11, 16) + " UTC");
        } else {
          say("Not up to date: the service answers " + answer.status);
        }
      } catch {
        say("Not up to date: the service cannot be reached");
      }
      again();
    };
    document.addEventListener("visibilitychange", () => {
      clearTimeout(timer);
      if (!document.hidden && !stopped) ask();
    });
    for (const input of ["pointerdown", "pointermove", "keydown", "scroll"]) {
      document.addEventListener(input, () => (touched = Date.now()), { passive: true });
    }
    again();
  }

  // Keys: / for the search, g and another for a page, ? for the list of them.
  const keys = document.getElementById("keys");
  const showKeys = document.getElementById("show-keys");
  if (!keys || !showKeys) return;
  showKeys.hidden = false;
  showKeys.addEventListener("click", () => keys.showModal());
  let going = 0; // until when the key after g is waited for
  document.addEventListener("keydown", (event) => {
    const typing = event.target instanceof Element && event.target.closest("input, textarea, select, dialog");
    if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
    if (Date.now() < going) {
      going = 0;
      const link = document.querySelector(`[data-key="${CSS.escape(event.key)}"]`);
      if (link) {
        event.preventDefault();
        location.href = link.href;
      }
      return;
    }
    const search = document.querySelector("input[type=search]");
    if (event.key === "g") going = Date.now() + 1500;
    else if (event.key === "?") keys.showModal();
    else if (event.key === "/" && search) {
      event.preventDefault();
      search.focus();
    }
  });
})();

// A list: j and k go from row to row. A text: a button copies it.
(() => {
  "use strict";
  document.addEventListener("keydown", (event) => {
    const typing = event.target instanceof Element && event.target.closest("input, textarea, select, dialog");
    if (typing || event.ctrlKey || event.metaKey || event.altKey || (event.key !== "j" && event.key !== "k")) return;
    const rows = [...document.querySelectorAll("[data-row]")];
    if (rows.length === 0 || event.defaultPrevented) return;
    const here = rows.indexOf(document.activeElement);
    rows[Math.min(Math.max(here + (event.key === "j" ? 1 : -1), 0), rows.length - 1)].focus();
  });
  for (const button of document.querySelectorAll("[data-copy]")) {
    const text = document.getElementById(button.dataset.copy);
    if (!text || !navigator.clipboard) continue;
    button.hidden = false;
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(text.value);
      button.textContent = "Copied";
    });
  }
})();
