"use strict";
// Sizes and positions of blocks: what geometry.py and picture.py compute, for the blocks that a reader opens.
// DATA is the JSON that page.py writes; its `constants` are those of geometry.py.
const DATA = JSON.parse(document.getElementById("data").textContent);
const C = DATA.constants, S = DATA.strings, GRIDS = DATA.grids;
const LAYER = 0, BLOCK = 1, STACK = 2, REPEAT = 3, TRUNK = -1, MARGIN = 16;
const blocks = [], layers = [];
const options = { down: DATA.down, show: DATA.show };

function decode(raw, parent, start) {
  const [kind, label, keep, suffix, ins] = raw;
  const path = parent ? parent.path.slice(0, keep) + S[suffix] : "";
  const b = { id: blocks.length, parent, start, kind, label: S[label], path, state: 0, kids: [], size: null };
  b.ins = ins.map((back) => start - back);
  blocks.push(b);
  if (kind === LAYER) {
    const [facts, field, line, isRead] = raw.slice(5);
    Object.assign(b, { facts: DATA.facts[facts], field: DATA.fields[field], line, stop: start + 1, outs: isRead ? [start] : [] });
    layers[start] = b;
  } else {
    b.outs = raw[5].map((from) => start + from);
    b.grids = raw[6];
    b.state = raw[7];
    b.stop = start;
    for (const each of raw[8]) {
      const kid = decode(each, b, b.stop);
      kid.place = b.kids.push(kid) - 1;
      b.stop = kid.stop;
    }
  }
  return b;
}
const root = decode(DATA.tree, null, 0);

for (const grid of GRIDS) { // child -> its row and column
  grid.at = [];
  grid.rows.forEach((row, r) => row.forEach(([child, column]) => { if (child >= 0) grid.at[child] = [r, column]; }));
}

const sums = (pick) => { // totals[i] is the sum over the layers before i; null where a size is free
  const totals = [0];
  for (const b of layers) {
    const value = pick(b.facts), before = totals[totals.length - 1];
    totals.push(value === null || before === null ? null : before + value);
  }
  return (b) => (totals[b.stop] === null ? null : totals[b.stop] - totals[b.start]);
};
const paramsOf = sums((facts) => facts.params), macsOf = sums((facts) => facts.macs), bytesOf = sums((facts) => facts.bytes);

function count(n) {
  if (n === null) return "?";
  for (const [unit, size] of [["T", 1e12], ["G", 1e9], ["M", 1e6], ["K", 1e3]])
    if (n >= size && n >= 1e4) return `${Number((n / size).toPrecision(4))}${unit}`;
  return String(n);
}

const widths = new Map();
function textWidth(text, size) {
  let width = widths.get(text);
  if (width === undefined) {
    width = 0;
    for (const c of text) width += C.widths[c] ?? 1000;
    widths.set(text, width);
  }
  return width * size / 1000;
}

function shortened(text, size) {
  if (textWidth(text, size) <= C.most_text) return text;
  while (text && textWidth(`${text}…`, size) > C.most_text) text = text.slice(0, -1);
  return `${text}…`;
}

function figures(b) {
  const parts = [];
  if (options.show.includes("params") && paramsOf(b) !== 0) parts.push(`${count(paramsOf(b))} params`);
  if (options.show.includes("macs") && macsOf(b) !== 0) parts.push(`${count(macsOf(b))} MACs`);
  return parts.join(" · ");
}

const shapeOf = (net) => layers[net].facts.shape;
const isOpen = (b) => b.state > 0;
const isBox = (b) => b.kind === STACK || !isOpen(b);
const hasFrame = (b) => b.parent !== null && b.kind !== STACK;
const showsFirst = (b) => b.kind === REPEAT && b.state === 1;
const body = (b) => (showsFirst(b) ? b.kids[0].kids : b.kids);
const gridOf = (b) => GRIDS[b.grids[showsFirst(b) ? 1 : 0]];
const netOf = (b, net) => (net >= 0 ? b.start + net : b.ins[-1 - net]);
// Whether a shape is drawn where a block ends: a box, or a repeat whose last copy has another shape.
const hasLabel = (b) => isBox(b) || (showsFirst(b) && b.outs.length > 0 && shapeOf(b.outs.at(-1)) !== shapeOf(shownNet(b, b.outs.at(-1))));
const shownNet = (b, net) => b.start + ((net - b.start) % (b.kids[0].stop - b.start));
const head = (b) => (options.down && hasFrame(b) ? C.header : 0);

function sizeOf(b) {
  return (b.size ??= isOpen(b) ? openSize(b) : boxSize(b));
}

function boxSize(b) {
  const second = options.show.length ? figures(b) : "";
  let width = Math.max(textWidth(shortened(b.label, C.font), C.font), textWidth(second, C.small)) + 2 * C.padding;
  if (options.down) {
    width = Math.max(width, C.narrowest);
    for (const net of b.outs.slice(-2))
      width = Math.max(width, 2 * (C.pitch * (b.outs.length - 1) + textWidth(shapeOf(net), C.small) + 2 * C.stub));
  }
  const height = C.box + (second ? C.line : 0);
  const [across, along] = options.down ? [width, height] : [height, width];
  const half = Math.max(across / 2, C.pitch * (Math.max(b.ins.length, b.outs.length) - 1) + C.stub);
  return { before: half, behind: half, length: along, second };
}

function openSize(b) {
  const grid = gridOf(b), kids = body(b);
  const before = Array(grid.columns).fill(C.lane), behind = Array(grid.columns).fill(C.lane);
  let trunkBefore = 0, trunkBehind = 0;
  const lengths = grid.rows.map((row) => {
    let longest = 0;
    for (const [child, column] of row) {
      if (child < 0) continue;
      const size = sizeOf(kids[child]);
      longest = Math.max(longest, size.length);
      const offsets = [...grid.in[child], ...grid.out[child]].map(([, offset]) => offset);
      const first = Math.max(size.before, C.stub - Math.min(0, ...offsets));
      const last = Math.max(size.behind, C.stub + Math.max(0, ...offsets));
      if (column === TRUNK) {
        trunkBefore = Math.max(trunkBefore, first);
        trunkBehind = Math.max(trunkBehind, last);
      } else {
        before[column] = Math.max(before[column], first);
        behind[column] = Math.max(behind[column], last);
      }
    }
    return longest;
  });
  const axes = columnAxes(before, behind, grid.trunk, trunkBefore, trunkBehind);
  const axis = axes[axes.length - 1], rows = [];
  let along = head(b);
  lengths.forEach((length, row) => {
    along += channelLength(b, kids, grid, row);
    rows.push([along, along + length]);
    along += length;
  });
  along += channelLength(b, kids, grid, lengths.length);
  let first = axis, last = Math.max(axes[axes.length - 2] + behind[behind.length - 1], axis + trunkBehind) - axis;
  if (hasFrame(b)) {
    const name = textWidth(shortened(b.label, C.small), C.small) + 2 * C.padding;
    first += options.down ? C.padding : C.header;
    last += C.padding;
    if (options.down) first = Math.max(first, name);
    else along = Math.max(along, name + 30);
  }
  return { before: first, behind: last, length: along, axes: axes.map((each) => each + first - axis), rows };
}

function columnAxes(before, behind, [first, last], trunkBefore, trunkBehind) {
  const axes = [before[0]];
  for (let c = 1; c < before.length; c++) axes.push(axes[c - 1] + behind[c - 1] + C.gap + before[c]);
  const least = trunkBefore + (first ? axes[first - 1] + C.lane + C.gap : 0);
  const moved = Math.max(0, least - (axes[first] + axes[last]) / 2);
  for (let c = first; c < axes.length; c++) axes[c] += moved;
  const middle = (axes[first] + axes[last]) / 2;
  if (last + 1 < axes.length) {
    const missing = Math.max(0, middle + trunkBehind + C.gap + C.lane - axes[last + 1]);
    for (let c = last + 1; c < axes.length; c++) axes[c] += missing;
  }
  return [...axes, middle];
}

function channelLength(b, kids, grid, number) {
  const [before, behind] = channel(b, kids, grid, number);
  return before + behind + C.track * Math.max(0, grid.tracks[number] - 1);
}

function channel(b, kids, grid, number) {
  const isFirst = number === 0, isLast = number === grid.rows.length;
  if ((isFirst || isLast) && !hasFrame(b)) return [0, 0];
  if (b.kind === STACK) return [0, C.stack_gap];
  let before = C.stub, behind = C.stub;
  if (!isFirst)
    for (const [child] of grid.rows[number - 1])
      if (child >= 0 && kids[child].outs.length && hasLabel(kids[child]))
        before = options.down ? C.label : Math.max(before, textWidth(shapeOf(kids[child].outs.at(-1)), C.small) + 2 * C.stub);
  if (!isLast && grid.rows[number].some(([child]) => child >= 0 && isBox(kids[child]))) behind = C.arrow;
  return [before, behind];
}

// The block in whose drawing a block is: a repeat that shows one copy draws what the copy contains.
const holder = (b) => (b.parent.parent && showsFirst(b.parent.parent) ? b.parent.parent : b.parent);

// The axis and the start of a block: x and y, or y and x in a drawing to the right.
function locate(b) {
  if (!b.parent) return [MARGIN + sizeOf(b).before, MARGIN];
  const owner = holder(b), [axis, start] = locate(owner), size = sizeOf(owner);
  const [row, column] = gridOf(owner).at[body(owner).indexOf(b)];
  const axes = size.axes;
  return [axis - size.before + axes[column === TRUNK ? axes.length - 1 : column], start + size.rows[row][0]];
}

function rectOf(b) {
  const [axis, start] = locate(b), size = sizeOf(b), width = size.before + size.behind;
  return options.down ? [axis - size.before, start, width, size.length] : [start, axis - size.before, size.length, width];
}

function wholeSize() {
  const size = sizeOf(root), across = size.before + size.behind + 2 * MARGIN, along = size.length + 2 * MARGIN;
  return options.down ? [across, along] : [along, across];
}
