// What a reader does: pan, zoom, fold, search, select.
const svg = document.getElementById("drawing"), scene = document.getElementById("scene");
const find = document.getElementById("find"), results = document.getElementById("results");
const details = document.getElementById("details"), map = document.getElementById("map");
const view = { x: 0, y: 0, k: 1 };
let current = null, drawn = null, drawnScale = 0, frame = 0;

const clamp = (value, low, high) => Math.min(high, Math.max(low, value));
const viewport = () => ({ width: svg.clientWidth, height: svg.clientHeight });
const visible = (share) => { // the rectangle of the drawing in the window, larger by a share of the window on each side
  const { width, height } = viewport(), dx = width * share, dy = height * share;
  return [(-view.x - dx) / view.k, (-view.y - dy) / view.k, (width - view.x + dx) / view.k, (height - view.y + dy) / view.k];
};

function draw() {
  drawn = visible(0.6);
  drawnScale = view.k;
  scene.innerHTML = markup(drawn, view.k);
  place();
}

function place() {
  scene.setAttribute("transform", `translate(${num(view.x)} ${num(view.y)}) scale(${view.k.toFixed(4)})`);
  drawMap();
}

function moved() { // the window moved over the drawing
  if (frame) return;
  frame = requestAnimationFrame(() => {
    frame = 0;
    const [left, top, right, bottom] = visible(0);
    const inside = drawn && left >= drawn[0] && top >= drawn[1] && right <= drawn[2] && bottom <= drawn[3];
    if (inside && view.k < drawnScale * 1.5 && view.k > drawnScale / 1.5) place();
    else draw();
  });
}

function zoom(factor, x = viewport().width / 2, y = viewport().height / 2) {
  const k = clamp(view.k * factor, 0.01, 6);
  view.x = x - (x - view.x) * (k / view.k);
  view.y = y - (y - view.y) * (k / view.k);
  view.k = k;
  moved();
}

function fit() { // all of it, but at a size that can be read: then the input is at the top
  const [width, height] = wholeSize(), window_ = viewport();
  const across = options.down ? window_.width / width : window_.height / height;
  view.k = clamp(Math.min(window_.width / width, window_.height / height), Math.min(0.85, across), 1.5);
  view.x = options.down ? (window_.width - width * view.k) / 2 : Math.max(0, (window_.width - width * view.k) / 2);
  view.y = options.down ? Math.max(0, (window_.height - height * view.k) / 2) : (window_.height - height * view.k) / 2;
  draw();
}

function whole() {
  const [width, height] = wholeSize(), window_ = viewport();
  view.k = Math.min(window_.width / width, window_.height / height, 1.5);
  view.x = (window_.width - width * view.k) / 2;
  view.y = (window_.height - height * view.k) / 2;
  draw();
}

function forget(b) { // the sizes that depend on the state of a block
  for (let each = b; each; each = each.parent) each.size = null;
}

function setState(b, state) { // and keep the corner of the block where it is in the window
  const [x0, y0] = rectOf(b);
  b.state = state;
  forget(b);
  const [x1, y1] = rectOf(b);
  view.x += (x0 - x1) * view.k;
  view.y += (y0 - y1) * view.k;
  select(b);
  draw();
}

const toggle = (b) => b.kind !== LAYER && setState(b, isOpen(b) ? 0 : 1);

function all(state) {
  for (const b of blocks) {
    if (b.kind !== LAYER && b.parent && (b.kind !== STACK || state)) b.state = state;
    b.size = null;
  }
  root.state = 1;
  current = null;
  fit();
}

function reveal(b) { // open the blocks around a block, and move it into the window
  const around = [];
  for (let each = b.parent; each; each = each.parent) around.unshift(each);
  around.forEach((each, i) => {
    const next = around[i + 1] ?? b;
    const isShown = each.state === 2 || (each.state === 1 && !(each.kind === REPEAT && next.place));
    if (!isShown) each.state = each.kind === REPEAT && next.place ? 2 : 1;
    forget(each);
  });
  if (view.k < 0.5) view.k = 1;
  const shown = b.parent && b.parent.kind === REPEAT && b.parent.state === 1 ? b.parent : b;
  const [x, y, w, h] = rectOf(shown), { width, height } = viewport();
  view.x = width / 2 - (x + w / 2) * view.k;
  view.y = h * view.k > height * 0.8 ? 60 - y * view.k : height / 2 - (y + h / 2) * view.k;
  select(shown);
  draw();
}

function select(b) {
  current = b;
  showDetails(b);
  for (const each of scene.querySelectorAll(".current")) each.classList.remove("current");
  if (b) scene.querySelector(`[data-b="${b.id}"]`)?.classList.add("current");
}

function keepVisible(b) {
  const [x, y, w, h] = rectOf(b), [left, top, right, bottom] = visible(-0.05);
  if (x < left || x + w > right) view.x = viewport().width / 2 - (x + w / 2) * view.k;
  if (y < top || y + Math.min(h, 60) > bottom) view.y = viewport().height / 2 - (y + Math.min(h, 200) / 2) * view.k;
  draw();
}

// Details of a block or layer.
const shareOf = (part, whole_) => (part && whole_ ? ` (${(100 * part / whole_).toPrecision(2)} %)` : "");
function bytes(n) {
  if (n === null) return "?";
  for (const [unit, size] of [["GB", 1e9], ["MB", 1e6], ["kB", 1e3]]) if (n >= size) return `${(n / size).toFixed(1)} ${unit}`;
  return `${n} B`;
}

function rowsOf(b) {
  const rows = [];
  if (b.kind === LAYER) rows.push(["operator", b.facts.op]);
  else rows.push(["block", `${b.stop - b.start} layers`]);
  if (b.ins.length) rows.push(["input", b.ins.map(shapeOf).join(", ")]);
  rows.push(["output", b.outs.length ? shapeOf(b.outs.at(-1)) : shapeOf(b.stop - 1)]);
  if (b.kind === LAYER && b.facts.weights) rows.push(["weights", b.facts.weights]);
  rows.push(["parameters", count(paramsOf(b)) + shareOf(paramsOf(b), paramsOf(root))]);
  rows.push(["MACs", count(macsOf(b)) + shareOf(macsOf(b), macsOf(root))]);
  rows.push(["memory", bytes(bytesOf(b))]);
  const field = layers[b.stop - 1].field;
  if (field) rows.push(["receptive field", field]);
  const line = layers[b.start].line;
  if (DATA.lines[line]) rows.push([`line ${line}`, DATA.lines[line]]);
  return rows;
}

function showDetails(b) {
  details.hidden = !b;
  if (!b) return;
  const rows = rowsOf(b).map(([name, value]) => `<dt>${escaped(name)}</dt><dd>${escaped(value)}</dd>`).join("");
  details.innerHTML = `<h2>${escaped(b.path || DATA.name)}</h2><dl>${rows}</dl>`;
}

// Search: layers and blocks whose path or operator contains the words.
let hits = [], hit = 0;
function search() {
  const words = find.value.toLowerCase().split(/\s+/).filter(Boolean);
  const texts = (b) => `${b.path} ${b.kind === LAYER ? b.facts.op : b.label}`.toLowerCase();
  hits = words.length ? blocks.filter((b) => b.parent && words.every((word) => texts(b).includes(word))) : [];
  hit = 0;
  showHits();
}

function showHits() {
  results.hidden = !find.value.trim();
  find.setAttribute("aria-expanded", String(!results.hidden));
  const from = Math.max(0, hit - 4), some = hits.slice(from, from + 10);
  const rows = some.map((b, i) => `<li role="option" data-b="${b.id}" aria-selected="${from + i === hit}">${escaped(b.path)}</li>`);
  const total = hits.length ? `${hits.length} found` : "nothing found";
  results.innerHTML = rows.join("") + `<li class="total">${total}</li>`;
}

find.addEventListener("input", search);
find.addEventListener("keydown", (event) => {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (step && hits.length) hit = (hit + step + hits.length) % hits.length;
  else if (event.key === "Enter" && hits.length) reveal(hits[hit]);
  else if (event.key === "Escape") { find.value = ""; hits = []; svg.focus(); }
  else return;
  event.preventDefault();
  showHits();
  if (event.key === "Enter") results.hidden = true;
});
results.addEventListener("pointerdown", (event) => {
  const row = event.target.closest("[data-b]");
  if (!row) return;
  event.preventDefault();
  reveal(blocks[row.dataset.b]);
  results.hidden = true;
});
find.addEventListener("blur", () => { results.hidden = true; });
find.addEventListener("focus", () => { if (find.value.trim()) showHits(); });

// Pointer: drag to pan, pinch to zoom, click to fold.
const pointers = new Map();
let dragged = 0, spread = 0;
svg.addEventListener("pointerdown", (event) => {
  pointers.set(event.pointerId, event);
  dragged = 0;
  spread = 0;
});
svg.addEventListener("pointermove", (event) => {
  const before = pointers.get(event.pointerId);
  if (!before) return hover(event);
  const dx = event.clientX - before.clientX, dy = event.clientY - before.clientY;
  pointers.set(event.pointerId, event);
  dragged += Math.abs(dx) + Math.abs(dy);
  if (dragged > 4 && !svg.hasPointerCapture(event.pointerId)) svg.setPointerCapture(event.pointerId);
  view.x += dx / pointers.size;
  view.y += dy / pointers.size;
  if (pointers.size === 2) {
    const [a, b] = pointers.values(), now = Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY), box = svg.getBoundingClientRect();
    if (spread) zoom(now / spread, (a.clientX + b.clientX) / 2 - box.left, (a.clientY + b.clientY) / 2 - box.top);
    spread = now;
  }
  moved();
});
for (const name of ["pointerup", "pointercancel", "pointerleave"])
  svg.addEventListener(name, (event) => pointers.delete(event.pointerId));
const blockAt = (target) => { const g = target.closest?.("[data-b]"); return g ? blocks[g.dataset.b] : null; };
svg.addEventListener("click", (event) => {
  if (dragged > 4) return;
  const b = blockAt(event.target);
  if (!b) return select(null);
  if (event.target.classList.contains("copies")) setState(b, showsFirst(b) ? 2 : 1);
  else if (!isOpen(b) || event.target.classList.contains("title")) b.kind === LAYER ? select(b) : toggle(b);
  else select(b);
});
function hover(event) {
  const b = blockAt(event.target);
  if (event.pointerType !== "touch") showDetails(b ?? current);
}
svg.addEventListener("wheel", (event) => {
  event.preventDefault();
  const box = svg.getBoundingClientRect(), unit = event.deltaMode === 1 ? 16 : 1;
  if (event.ctrlKey || event.metaKey) return zoom(Math.exp(-event.deltaY * unit * 0.005), event.clientX - box.left, event.clientY - box.top);
  view.x -= (event.shiftKey ? event.deltaY : event.deltaX) * unit;
  view.y -= (event.shiftKey ? 0 : event.deltaY) * unit;
  moved();
}, { passive: false });

// Keyboard: arrows walk over the blocks, Enter folds.
function step(by) {
  if (!current) return root.kids[0];
  const siblings = body(holder(current));
  return siblings[siblings.indexOf(current) + by] ?? current;
}
const keys = {
  ArrowDown: () => step(1),
  ArrowUp: () => step(-1),
  ArrowRight: () => (current && isOpen(current) && current.kids.length ? body(current)[0] : current ?? root.kids[0]),
  ArrowLeft: () => (current && holder(current).parent ? holder(current) : current ?? root.kids[0]),
};
document.addEventListener("keydown", (event) => { // also before anything has the focus, but not in the tools
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target !== document.body && !svg.contains(event.target)) return;
  if (keys[event.key]) {
    select(keys[event.key]());
    keepVisible(current);
  } else if ((event.key === "Enter" || event.key === " ") && current) toggle(current);
  else if (event.key === "Escape") { select(null); draw(); }
  else if (event.key === "+" || event.key === "=") zoom(1.25);
  else if (event.key === "-") zoom(0.8);
  else if (event.key === "0") fit();
  else if (event.key === "/") find.focus();
  else return;
  event.preventDefault();
});

// The mini map, and the window in it.
const mapScale = [1, 1]; // of x and y: a drawing that is very long is shown wider than it is
function drawMap() {
  const [width, height] = wholeSize(), scale = Math.min(140 / width, 180 / height), dots = devicePixelRatio || 1;
  const size = [width, height].map((each) => Math.ceil(Math.max(24, each * scale)));
  mapScale[0] = size[0] / width;
  mapScale[1] = size[1] / height;
  map.width = size[0] * dots;
  map.height = size[1] * dots;
  map.style.width = `${size[0]}px`;
  map.style.height = `${size[1]}px`;
  const pen = map.getContext("2d"), style = getComputedStyle(document.documentElement), colours = {};
  pen.scale(dots, dots);
  for (const [x, y, w, h, name] of mapRects(...mapScale)) {
    pen.fillStyle = colours[name] ??= style.getPropertyValue(name === "frame" ? "--frame-line" : `--${name}-line`);
    pen.globalAlpha = name === "frame" ? 0.25 : 0.8;
    pen.fillRect(x * mapScale[0], y * mapScale[1], w * mapScale[0], h * mapScale[1]);
  }
  const [left, top, right, bottom] = visible(0);
  pen.globalAlpha = 1;
  pen.strokeStyle = style.getPropertyValue("--focus");
  pen.lineWidth = 1.5;
  const [x, y] = [left * mapScale[0], top * mapScale[1]].map((each) => Math.max(1, each));
  pen.strokeRect(x, y, Math.min(size[0] - 1, right * mapScale[0]) - x, Math.max(2, Math.min(size[1] - 1, bottom * mapScale[1]) - y));
}
const toPlace = (event) => {
  const box = map.getBoundingClientRect(), { width, height } = viewport(), [wide, high] = wholeSize();
  view.x = width / 2 - ((event.clientX - box.left) / box.width) * wide * view.k;
  view.y = height / 2 - ((event.clientY - box.top) / box.height) * high * view.k;
  moved();
};
map.addEventListener("pointerdown", (event) => { map.setPointerCapture(event.pointerId); toPlace(event); });
map.addEventListener("pointermove", (event) => { if (event.buttons) toPlace(event); });

const actions = {
  in: () => zoom(1.25), out: () => zoom(0.8), fit, whole,
  open: () => all(1), fold: () => all(0),
  turn: () => { options.down = !options.down; for (const b of blocks) b.size = null; fit(); },
  figures: (button) => {
    options.show = options.show.length ? [] : ["params", "macs"];
    button.setAttribute("aria-pressed", String(options.show.length > 0));
    for (const b of blocks) b.size = null;
    draw();
  },
  theme: () => {
    const dark = getComputedStyle(document.documentElement).getPropertyValue("--scheme").trim() === "dark";
    document.documentElement.dataset.theme = dark ? "light" : "dark";
    drawMap();
  },
};
document.getElementById("tools").addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button) actions[button.dataset.do](button);
});
addEventListener("resize", draw);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawMap);
svg.removeAttribute("viewBox");
fit();
