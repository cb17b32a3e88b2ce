/* Sorts and filters the tables and draws the plots. Without it the pages still read: tables are whole, plots have tables. */
"use strict";
(() => {
  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  /* Tables. Cells hold names that anyone may have chosen: they stay text, and are never handed to DataTables as attributes
     that it reads back as HTML; what rows are filtered by is compared here. */
  function enliven(table) {
    const references = table.querySelector("tbody.references");
    if (references) references.remove(); // no contestants: they stay on top, unsorted and unfiltered
    const headers = [];
    const varied = [...table.tHead.rows[0].cells];
    for (const cell of varied) {
      // a group's columns stand in the second row, where there is one
      if (cell.colSpan === 1 && cell.rowSpan === table.tHead.rows.length) headers.push(cell);
      else for (let i = 0; i < cell.colSpan; i++) headers.push(table.tHead.rows[1].cells[headers.filter((h) => h.parentNode.rowIndex === 1).length]);
    }
    const columns = headers.map((cell) => {
      const kind = cell.dataset.kind;
      if (kind === "none") return { orderable: false };
      const sequence = cell.dataset.first === "desc" ? ["desc", "asc"] : ["asc", "desc"];
      return kind === "num" ? { type: "num", orderSequence: sequence } : { orderSequence: ["asc", "desc"] };
    });
    const api = new DataTablesBundle.default(table, {
      columns, paging: false, autoWidth: false, order: [], orderClasses: false, stripeClasses: [],
      layout: { topStart: null, topEnd: null, bottomStart: null, bottomEnd: null },
      language: { zeroRecords: "No row matches." },
    });
    const body = table.tBodies[0];
    if (references) table.insertBefore(references, body);
    const place = () => {
      const [first] = api.order();
      table.classList.toggle("as-ranked", !first || !first.length || (first[0] === 0 && first[1] === "asc"));
    };
    api.on("order", place);
    place();
    filters(table, api);
  }

  function filters(table, api) {
    const bar = document.querySelector(`.filters[data-for="${table.id}"]`);
    if (!bar) return;
    const count = bar.querySelector(".count");
    const total = api.rows().count();
    const tell = () => {
      const left = api.rows({ search: "applied" }).count();
      count.textContent = left === total ? `${total} rows` : `${left} of ${total} rows`;
    };
    for (const input of bar.querySelectorAll("[data-filter]")) {
      const name = input.dataset.filter;
      input.addEventListener(input.type === "search" ? "input" : "change", () => {
        if (name === "search") api.search(input.value);
        else if (!input.value) api.search.fixed(name, null);
        else api.search.fixed(name, (_text, _data, row) => api.row(row).node().dataset[name] === input.value);
        api.draw();
        tell();
      });
    }
    bar.hidden = false;
    tell();
  }

  /* Plots. A colour in a figure is the name of a CSS variable, so that they follow the reader's scheme. */
  function coloured(value, key) {
    if (Array.isArray(value)) return value.map((one) => coloured(one, key));
    if (value && typeof value === "object") return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, coloured(v, k)]));
    return (key === "color" || key === "fillcolor") && typeof value === "string" && value.startsWith("--") ? css(value) : value;
  }

  function draw(place) {
    const figure = JSON.parse(document.getElementById(place.dataset.figure).textContent);
    const narrow = place.clientWidth < 600;
    const axis = { gridcolor: css("--grid"), linecolor: css("--line"), zeroline: false, automargin: true, ticks: "outside", tickcolor: css("--line") };
    const title = (given) => (given.title ? { ...given, title: { text: given.title, standoff: 12 } } : given);
    const ys = { ...figure.layout.yaxis };
    const xs = { ...figure.layout.xaxis };
    if (ys.ticktext) ys.ticktext = ys.ticktext.map((label) => cut(label, narrow ? 20 : 48));
    if (xs.ticktext) xs.ticktext = xs.ticktext.map((label) => cut(label, narrow ? 14 : 24));
    const layout = {
      ...figure.layout,
      shapes: coloured(figure.layout.shapes),
      xaxis: { ...axis, ...title(xs) },
      yaxis: { ...axis, ...title(ys) },
      paper_bgcolor: css("--back"), plot_bgcolor: css("--back"),
      font: { family: getComputedStyle(document.body).fontFamily, size: narrow ? 11 : 13, color: css("--text") },
      margin: { l: 16, r: 16, t: figure.layout.showlegend ? 40 : 16, b: 16, autoexpand: true },
      legend: { orientation: "h", x: 0, xanchor: "left", y: 1, yanchor: "bottom" },
      hovermode: "closest",
      hoverlabel: { align: "left", bgcolor: css("--band"), bordercolor: css("--line"), font: { color: css("--text") } },
      dragmode: matchMedia("(pointer: fine)").matches ? "zoom" : false, // a finger scrolls the page
      annotations: figure.levels.map((level, i) => ({ xref: "paper", x: 1 - (i % 3) / 2, xanchor: ["right", "center", "left"][i % 3], y: level.y, yanchor: i ? "top" : "bottom", text: cut(level.text, 30), showarrow: false, font: { color: css("--muted"), size: 12 } })),
    };
    return Plotly.react(place, coloured(figure.traces), layout, { displayModeBar: false, responsive: true });
  }

  /* Of a label that plotly reads: an entity is one character. */
  function cut(label, longest) {
    const characters = label.match(/&(?:amp|lt|gt);|[^]/gu) || [];
    return characters.length > longest ? characters.slice(0, longest - 1).join("") + "…" : label;
  }

  const drawn = new Set();
  const once = (place) => { if (!drawn.has(place)) { drawn.add(place); draw(place); } };
  const places = [...document.querySelectorAll(".plot")];
  const seen = new IntersectionObserver((entries) => entries.filter((entry) => entry.isIntersecting).forEach((entry) => {
    seen.unobserve(entry.target);
    once(entry.target);
  }), { rootMargin: "600px" });

  /* Fades the edge of a table that is wider than the screen. */
  function edge(scroller) {
    const more = () => scroller.classList.toggle("goes-on", scroller.scrollLeft + scroller.clientWidth < scroller.scrollWidth - 2);
    scroller.addEventListener("scroll", more, { passive: true });
    new ResizeObserver(more).observe(scroller);
  }

  document.querySelectorAll("table.ranked, table.sortable").forEach(enliven);
  document.querySelectorAll("div.scroller").forEach(edge);
  places.forEach((place) => {
    place.style.minHeight = `${place.dataset.height}px`;
    place.hidden = false; // there is nothing to show until now
    seen.observe(place);
  });
  addEventListener("beforeprint", () => places.forEach(once));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => drawn.forEach(draw));
})();
