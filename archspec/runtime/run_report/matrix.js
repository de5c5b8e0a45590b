/** The confusion matrix on a canvas: sorted, shaded, zoomed. Rows are true classes, columns predictions. */
const confusionData = embedded("confusion-data");

const matrix = confusionData && {
  ...confusionData,
  canvas: document.getElementById("matrix"),
  cells: [], // {row, column, count, share}, the smallest shares first, so that large ones cover them
  order: [], // place -> class
  places: [], // class -> place
  zoom: 1,
  x: 0, // the place at the left edge, in cells
  y: 0,
  hover: null, // {row, column}: places
  printing: false,
};

function readCells() {
  matrix.rows.forEach(([steps, counts], row) => {
    let column = 0;
    counts.forEach((count, index) => {
      column += steps[index];
      matrix.cells.push({ row, column, count, share: count / matrix.totals[row] });
    });
  });
  matrix.cells.sort((a, b) => a.share - b.share);
  matrix.largest = Math.max(1, ...matrix.totals);
}

/** The places of the classes in an order. */
const orders = {
  network: () => matrix.names.map((_, index) => index),
  name: () => orders.network().sort((a, b) => matrix.names[a].localeCompare(matrix.names[b], undefined, { numeric: true })),
  images: () => orders.network().sort((a, b) => matrix.totals[b] - matrix.totals[a]),
  error: () => {
    const right = new Map(matrix.cells.filter((cell) => cell.row === cell.column).map((cell) => [cell.row, cell.share]));
    return orders.network().sort((a, b) => (right.get(a) || 0) - (right.get(b) || 0));
  },
  similar: () => chained(),
};

/** Puts classes that are confused often next to each other: each next class is the one most confused with the last. */
function chained() {
  const links = matrix.names.map(() => new Map());
  for (const { row, column, count } of matrix.cells) {
    if (row === column) continue;
    links[row].set(column, (links[row].get(column) || 0) + count);
    links[column].set(row, (links[column].get(row) || 0) + count);
  }
  const strength = links.map((each) => [...each.values()].reduce((sum, count) => sum + count, 0));
  const left = new Set(orders.network().sort((a, b) => strength[b] - strength[a]));
  const order = [];
  let next = left.values().next().value;
  while (next !== undefined) {
    left.delete(next);
    order.push(next);
    let best = 0;
    let found;
    for (const [other, count] of links[next]) {
      if (left.has(other) && count > best) [best, found] = [count, other];
    }
    next = found === undefined ? left.values().next().value : found;
  }
  return order;
}

function setOrder(name) {
  matrix.order = orders[name]();
  matrix.order.forEach((each, place) => {
    matrix.places[each] = place;
  });
  matrix.hover = null;
  drawMatrix();
}

/** The sizes of the drawing in CSS pixels: margins for the labels, and the side of a cell. */
function geometry() {
  const side = matrix.canvas.clientWidth;
  const count = matrix.names.length;
  const longest = Math.max(...matrix.names.map((name) => name.length));
  const wide = Math.min(38 + longest * 6.8, side * 0.3);
  const named = ((side - wide - 4) / count) * matrix.zoom >= 11.5;
  const margin = named ? wide : 30;
  return { side, margin, named, cell: ((side - margin - 4) / count) * matrix.zoom, count };
}

function colorsOf() {
  const style = getComputedStyle(document.documentElement);
  const read = (name) => style.getPropertyValue(`--${name}`).trim();
  if (matrix.printing) return { text: "#1b1f24", faint: "#57606a", line: "#d0d7de", right: "0,114,178", wrong: "213,94,0", back: "#ffffff" };
  return { text: read("text"), faint: read("faint"), line: read("frame-line"), right: read("right-rgb"), wrong: read("wrong-rgb"), back: read("background") };
}

/** The opacity of a cell, from 0 to 1; small shares stay visible. */
function opacity(cell, shade) {
  if (shade === "mistakes" && cell.row === cell.column) return 0;
  const value = shade === "count" ? cell.count / matrix.largest : cell.share;
  return 0.1 + 0.9 * Math.min(1, value) ** 0.6;
}

function drawMatrix() {
  const { side, margin, named, cell, count } = geometry();
  const ratio = devicePixelRatio || 1;
  const { canvas } = matrix;
  canvas.width = side * ratio;
  canvas.height = side * ratio;
  canvas.style.height = `${side}px`;
  const pen = canvas.getContext("2d");
  const colors = colorsOf();
  const shade = document.getElementById("shade").value;
  pen.scale(ratio, ratio);
  pen.fillStyle = colors.back;
  pen.fillRect(0, 0, side, side);
  const room = side - margin - 4;
  matrix.x = Math.max(0, Math.min(matrix.x, count - room / cell));
  matrix.y = Math.max(0, Math.min(matrix.y, count - room / cell));
  const at = (place, start) => margin + (place - start) * cell;
  pen.save();
  pen.beginPath();
  pen.rect(margin, margin, room, room);
  pen.clip();
  const drawn = Math.max(cell - (cell > 8 ? 1 : 0), 1.4);
  for (const each of matrix.cells) {
    const left = at(matrix.places[each.column], matrix.x);
    const top = at(matrix.places[each.row], matrix.y);
    if (left > side || top > side || left + cell < margin || top + cell < margin) continue;
    const alpha = opacity(each, shade);
    if (!alpha) continue;
    pen.fillStyle = `rgba(${each.row === each.column ? colors.right : colors.wrong},${alpha})`;
    pen.fillRect(left, top, drawn, drawn);
    if (cell >= 24 && String(each.count).length * 6.4 < cell - 4) {
      pen.fillStyle = alpha > 0.6 && !matrix.dark() ? "#ffffff" : colors.text;
      pen.font = "11px system-ui, sans-serif";
      pen.textAlign = "center";
      pen.textBaseline = "middle";
      pen.fillText(each.count, left + cell / 2, top + cell / 2);
    }
  }
  if (matrix.hover) {
    pen.strokeStyle = colors.text;
    pen.strokeRect(at(matrix.hover.column, matrix.x) + 0.5, at(matrix.hover.row, matrix.y) + 0.5, Math.max(drawn, 3), Math.max(drawn, 3));
  }
  pen.restore();
  pen.strokeStyle = colors.line;
  pen.strokeRect(margin - 0.5, margin - 0.5, room + 1, room + 1);
  drawLabels(pen, colors, { margin, named, cell, count, side, at });
}

/** Draws before the next frame, once however often the pointer has moved. */
function drawSoon() {
  if (matrix.waiting) return;
  matrix.waiting = true;
  requestAnimationFrame(() => {
    matrix.waiting = false;
    drawMatrix();
  });
}

/** A text shortened to a width in CSS pixels. */
function shortened(pen, text, width) {
  if (pen.measureText(text).width <= width) return text;
  let end = text.length;
  while (end && pen.measureText(`${text.slice(0, end)}…`).width > width) end -= 1;
  return `${text.slice(0, end)}…`;
}

function drawLabels(pen, colors, { margin, named, cell, count, side, at }) {
  pen.font = "11px system-ui, sans-serif";
  pen.fillStyle = colors.faint;
  pen.textBaseline = "middle";
  pen.textAlign = "right";
  pen.fillText("predicted class →", side - 4, 8);
  pen.save();
  pen.translate(8, side - 4);
  pen.rotate(-Math.PI / 2);
  pen.textAlign = "left";
  pen.fillText("← true class", 0, 0);
  pen.restore();
  if (!named) return;
  pen.fillStyle = colors.text;
  for (let place = 0; place < count; place += 1) {
    const name = shortened(pen, matrix.names[matrix.order[place]], margin - 26);
    const y = at(place, matrix.y) + cell / 2;
    if (y > margin && y < side - 4) {
      pen.textAlign = "right";
      pen.fillText(name, margin - 5, y);
    }
    const x = at(place, matrix.x) + cell / 2;
    if (x > margin && x < side - 4) {
      pen.save();
      pen.translate(x, margin - 5);
      pen.rotate(-Math.PI / 2);
      pen.textAlign = "left";
      pen.fillText(name, 0, 0);
      pen.restore();
    }
  }
}

/** The place under a point, or null. */
function placeAt(event) {
  const box = matrix.canvas.getBoundingClientRect();
  const { margin, cell, count } = geometry();
  const column = Math.floor((event.clientX - box.left - margin) / cell + matrix.x);
  const row = Math.floor((event.clientY - box.top - margin) / cell + matrix.y);
  const inside = event.clientX - box.left >= margin && event.clientY - box.top >= margin;
  return inside && row >= 0 && column >= 0 && row < count && column < count ? { row, column } : null;
}

/** Says what the cell at a place is. */
function tellCell(place) {
  matrix.hover = place;
  const field = document.getElementById("cell");
  if (place) {
    const row = matrix.order[place.row];
    const column = matrix.order[place.column];
    const found = matrix.cells.find((cell) => cell.row === row && cell.column === column);
    const count = found ? found.count : 0;
    const total = matrix.totals[row];
    const share = total ? ` (${((100 * count) / total).toFixed(1)} %)` : "";
    const what = row === column ? "predicted correctly" : `predicted as ${matrix.names[column]}`;
    const few = !found && matrix.least > 1 ? `fewer than ${matrix.least}` : count;
    field.textContent = `${matrix.names[row]}: ${few} of ${total} images${share} ${what}`;
  }
  drawSoon();
}

/** Zooms, with the middle of the matrix, or a point of the window, fixed. */
function zoomMatrix(factor, event) {
  const before = geometry();
  const box = matrix.canvas.getBoundingClientRect();
  const middle = (before.side + before.margin) / 2;
  const px = (event ? event.clientX - box.left : middle) - before.margin;
  const py = (event ? event.clientY - box.top : middle) - before.margin;
  const column = matrix.x + px / before.cell;
  const row = matrix.y + py / before.cell;
  matrix.zoom = Math.max(1, Math.min(matrix.zoom * factor, Math.max(1, (before.count * 40) / before.side)));
  const after = geometry();
  matrix.x = column - px / after.cell;
  matrix.y = row - py / after.cell;
  matrix.canvas.style.touchAction = matrix.zoom > 1 ? "none" : "pan-y";
  drawMatrix();
}

const zooms = { in: () => zoomMatrix(1.6), out: () => zoomMatrix(1 / 1.6), fit: () => zoomMatrix(1e-9) };

function moveMatrix(columns, rows) {
  matrix.x += columns;
  matrix.y += rows;
  drawSoon();
}

function listenToMatrix() {
  const { canvas } = matrix;
  let drag = null;
  canvas.addEventListener("pointerdown", (event) => {
    drag = { x: event.clientX, y: event.clientY };
    tellCell(placeAt(event));
  });
  canvas.addEventListener("pointermove", (event) => {
    if (drag && event.buttons && matrix.zoom > 1) {
      const { cell } = geometry();
      moveMatrix((drag.x - event.clientX) / cell, (drag.y - event.clientY) / cell);
      drag = { x: event.clientX, y: event.clientY };
    } else {
      tellCell(placeAt(event));
    }
  });
  addEventListener("pointerup", () => {
    drag = null;
  });
  canvas.addEventListener("pointerleave", () => tellCell(null));
  canvas.addEventListener("dblclick", (event) => zoomMatrix(2.5, event));
  canvas.addEventListener(
    "wheel",
    (event) => {
      if (!event.ctrlKey) return;
      event.preventDefault();
      zoomMatrix(event.deltaY < 0 ? 1.25 : 0.8, event);
    },
    { passive: false },
  );
  const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  canvas.addEventListener("keydown", (event) => {
    const actions = { "+": zooms.in, "=": zooms.in, "-": zooms.out, 0: zooms.fit };
    const step = steps[event.key];
    if (actions[event.key]) actions[event.key]();
    else if (step) moveMatrix(step[0] * 40 / geometry().cell, step[1] * 40 / geometry().cell);
    else return;
    event.preventDefault();
  });
  for (const button of document.querySelectorAll("button[data-zoom]")) {
    button.addEventListener("click", zooms[button.dataset.zoom]);
  }
  document.getElementById("order").addEventListener("change", (event) => setOrder(event.target.value));
  document.getElementById("shade").addEventListener("change", drawMatrix);
  for (const name of ["resize", "theme"]) addEventListener(name, drawMatrix);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawMatrix);
  addEventListener("beforeprint", () => {
    matrix.printing = true;
    drawMatrix();
  });
  addEventListener("afterprint", () => {
    matrix.printing = false;
    drawMatrix();
  });
}

if (matrix) {
  matrix.dark = () => !matrix.printing && getComputedStyle(document.documentElement).colorScheme === "dark";
  readCells();
  listenToMatrix();
  setOrder("network");
}
