"use strict";

/** The parsed JSON of an element, or null. */
function embedded(id) {
  const found = document.getElementById(id);
  return found ? JSON.parse(found.textContent) : null;
}

/** The value of a cell for sorting: a number where the text begins with one. */
function cellValue(row, column, numeric) {
  const text = row.cells[column].textContent.trim();
  if (!numeric) return text;
  const value = parseFloat(text.replaceAll(",", ""));
  return Number.isNaN(value) ? -Infinity : value;
}

/** Sorts the rows of a table by a column; the second time in the other direction. */
function sortTable(table, column) {
  const heads = table.tHead.rows[0].cells;
  const numeric = heads[column].classList.contains("number");
  const before = heads[column].getAttribute("aria-sort");
  const down = before ? before === "ascending" : numeric;
  const rows = [...table.tBodies[0].rows].map((row) => [cellValue(row, column, numeric), row]);
  const order = numeric ? (a, b) => a[0] - b[0] : (a, b) => a[0].localeCompare(b[0], undefined, { numeric: true });
  rows.sort((a, b) => (down ? order(b, a) : order(a, b)));
  table.tBodies[0].append(...rows.map(([, row]) => row));
  for (const head of heads) head.removeAttribute("aria-sort");
  heads[column].setAttribute("aria-sort", down ? "descending" : "ascending");
}

for (const table of document.querySelectorAll("table.sortable")) {
  [...table.tHead.rows[0].cells].forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    button.addEventListener("click", () => sortTable(table, column));
    head.replaceChildren(button);
  });
}

/** Hides the classes whose names do not have the text. */
function findClass(text) {
  const rows = [...document.querySelector("table.classes").tBodies[0].rows];
  const wanted = text.trim().toLowerCase();
  let shown = 0;
  for (const row of rows) {
    row.hidden = !row.cells[0].textContent.toLowerCase().includes(wanted);
    shown += !row.hidden;
  }
  document.getElementById("found").textContent = wanted ? `${shown} of ${rows.length} classes` : "";
}

const findField = document.getElementById("find");
if (findField) findField.addEventListener("input", () => findClass(findField.value));

document.getElementById("theme").addEventListener("click", () => {
  const root = document.documentElement;
  const dark = getComputedStyle(root).colorScheme === "dark";
  root.dataset.theme = dark ? "light" : "dark";
  dispatchEvent(new Event("theme"));
});

/** Shows the values of the epoch that is nearest to the pointer. */
function readCurve(figure, data, pointer) {
  const box = figure.querySelector("svg").getBoundingClientRect();
  const scale = figure.querySelector("svg").viewBox.baseVal.width / box.width;
  const x = (pointer.clientX - box.left) * scale;
  let nearest = 0;
  data.places.forEach((place, index) => {
    if (Math.abs(place - x) < Math.abs(data.places[nearest] - x)) nearest = index;
  });
  const cursor = figure.querySelector(".cursor");
  cursor.setAttribute("transform", `translate(${data.places[nearest]} 0)`);
  cursor.style.visibility = "visible";
  figure.querySelectorAll(".key b").forEach((field, index) => {
    const value = data.values[index][nearest];
    field.textContent = value === null ? "not finite" : `${Number(value.toPrecision(4))}${data.unit && ` ${data.unit}`}`;
  });
  figure.querySelector(".at").textContent = `epoch ${data.epochs[nearest]}`;
}

function leaveCurve(figure) {
  figure.querySelector(".cursor").style.visibility = "hidden";
  for (const field of figure.querySelectorAll(".key b, .at")) field.textContent = "";
}

const curveData = embedded("curve-data") || [];
document.querySelectorAll(".curves figure").forEach((figure, index) => {
  const chart = figure.querySelector("svg");
  chart.addEventListener("pointermove", (event) => readCurve(figure, curveData[index], event));
  chart.addEventListener("pointerdown", (event) => readCurve(figure, curveData[index], event));
  chart.addEventListener("pointerleave", () => leaveCurve(figure));
});
