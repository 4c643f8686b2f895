// What the page does beyond standing there: search, folds, colours. Without it, everything can still be read.
// It makes no markup of anything, so what a cassette says stays text.
(() => {
  "use strict";

  const at = (id) => document.getElementById(id);
  const root = document.documentElement;
  at("bar").hidden = false;

  // --- colours: the system's, until the button is pressed

  const dark = at("dark");
  const system = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : system.matches);
  const showTheme = () => dark.setAttribute("aria-pressed", String(isDark()));
  dark.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    showTheme();
  });
  system.addEventListener("change", showTheme);
  showTheme();

  // --- folds

  const folds = at("folds");
  const conversation = at("conversation");
  folds.addEventListener("click", () => {
    const open = folds.getAttribute("aria-pressed") !== "true";
    for (const fold of conversation.querySelectorAll("details")) fold.open = open;
    folds.setAttribute("aria-pressed", String(open));
    folds.textContent = open ? "Fold all" : "Unfold all";
  });

  // The one text in a fold can be copied once it is open: a button in each closed one would only be in the way.
  conversation.addEventListener("toggle", ({ target: fold }) => {
    const inside = fold.querySelector(":scope > .inside");
    const [copied, ...more] = inside.querySelectorAll(":scope > :is(.code, .text)");
    if (!fold.open || !copied || more.length || inside.querySelector(":scope > .copy")) return;
    const button = document.createElement("button");
    button.className = "copy";
    button.textContent = "Copy";
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(copied.textContent);
        button.textContent = "Copied";
      } catch {
        getSelection().selectAllChildren(copied);
        button.textContent = "Selected";
      }
    });
    inside.append(button);
  }, true);

  // --- search: every text of the conversation once, folded or not; marks are painted over it and change no element

  const query = at("query");
  const found = at("found");
  const MOST_MARKS = 5000; // that are painted, around the current one; all are counted and can be gone to
  const marks = CSS.highlights;
  let texts = null;
  let matches = [];
  let current = -1;

  const allTexts = () => {
    const walker = document.createTreeWalker(conversation, NodeFilter.SHOW_TEXT, (node) =>
      node.data.trim() && !node.parentElement.closest("[data-preview], title, .copy") ? NodeFilter.FILTER_ACCEPT : NodeFilter.FILTER_REJECT);
    const all = [];
    while (walker.nextNode()) all.push(walker.currentNode);
    return all;
  };

  // Letters as they are, whatever their case; a space stands for any run of white space.
  const pattern = (text) =>
    new RegExp(text.replace(/[\\^$.*+?()[\]{}|/]/gu, "\\$&").replace(/\s+/gu, "\\s+"), "giu");

  const range = ({ node, start, end }) => {
    const made = new Range();
    made.setStart(node, start);
    made.setEnd(node, end);
    return made;
  };

  const tell = () => {
    const count = matches.length.toLocaleString("en");
    if (!query.value.trim()) found.value = "";
    else if (!matches.length) found.value = "nothing found";
    else if (current < 0) found.value = `${count} found`;
    else found.value = `${(current + 1).toLocaleString("en")} of ${count}`;
    at("next").disabled = at("previous").disabled = !matches.length;
  };

  const search = () => {
    texts ??= allTexts();
    const wanted = query.value.trim();
    matches = [];
    current = -1;
    if (wanted) {
      const sought = pattern(wanted);
      for (const node of texts)
        for (const match of node.data.matchAll(sought))
          matches.push({ node, start: match.index, end: match.index + match[0].length });
    }
    marks?.clear();
    mark();
    tell();
  };

  const mark = () => {
    if (!marks || !matches.length) return;
    const first = Math.max(0, Math.min(current, matches.length) - MOST_MARKS / 2);
    marks.set("found", new Highlight(...matches.slice(first, first + MOST_MARKS).map(range)));
  };

  const go = (step) => {
    if (!matches.length) return;
    current = current < 0 && step < 0 ? matches.length - 1 : (current + step + matches.length) % matches.length;
    const match = matches[current];
    const parent = match.node.parentElement;
    for (let fold = parent.closest("details"); fold; fold = fold.parentElement.closest("details"))
      if (!fold.querySelector("summary").contains(match.node)) fold.open = true;
    const here = range(match);
    if (marks) {
      if (matches.length > MOST_MARKS) mark();
      const painted = new Highlight(here);
      painted.priority = 1;
      marks.set("current", painted);
    } else {
      getSelection().removeAllRanges();
      getSelection().addRange(here);
    }
    parent.scrollIntoView({ block: "nearest" });
    const { top, bottom } = here.getBoundingClientRect();
    if (top < 120 || bottom > innerHeight - 40) scrollBy(0, (top + bottom - innerHeight) / 2);
    tell();
  };

  let waiting = 0;
  query.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(search, 120);
  });
  query.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && query.value) {
      event.preventDefault();
      query.value = "";
      search();
    } else if (event.key === "Enter") {
      event.preventDefault();
      clearTimeout(waiting);
      if (current < 0) search();
      go(event.shiftKey ? -1 : 1);
    }
  });
  at("search").addEventListener("submit", (event) => event.preventDefault());
  at("next").addEventListener("click", () => go(1));
  at("previous").addEventListener("click", () => go(-1));
  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && !event.shiftKey && !event.altKey && event.key.toLowerCase() === "k") {
      event.preventDefault();
      query.focus();
      query.select();
    }
  });
})();
