// Adds to a page that is complete without it: buttons that copy, a filter over long tables, all of it in print.
(() => {
  "use strict";
  const LONG_TABLE = 15;

  const button = (label, act) => {
    const made = document.createElement("button");
    made.type = "button";
    made.textContent = label;
    made.addEventListener("click", () => act(made));
    return made;
  };

  const copy = (text) => {
    if (navigator.clipboard && window.isSecureContext) return navigator.clipboard.writeText(text);
    const area = document.createElement("textarea");
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
    return Promise.resolve();
  };

  const copies = (label, text) =>
    button(label, (made) => copy(text).then(() => {
      made.textContent = "Copied";
      setTimeout(() => { made.textContent = label; }, 1500);
    }));

  for (const place of document.querySelectorAll("[data-copy]")) place.append(copies("Copy", place.dataset.copy));
  const report = document.getElementById("report");
  if (report) document.querySelector("footer").prepend(copies("Copy the JSON report", report.textContent));

  for (const table of document.querySelectorAll("table")) {
    const rows = [...table.tBodies[0].rows];
    if (rows.length < LONG_TABLE) continue;
    const field = document.createElement("input");
    field.type = "search";
    field.placeholder = `filter ${rows.length} rows`;
    field.setAttribute("aria-label", field.placeholder);
    field.addEventListener("input", () => {
      const words = field.value.toLowerCase();
      for (const row of rows) row.hidden = !row.textContent.toLowerCase().includes(words);
    });
    table.parentElement.before(field);
  }

  addEventListener("beforeprint", () => {
    for (const fold of document.querySelectorAll("details")) fold.open = true;
  });
})();
