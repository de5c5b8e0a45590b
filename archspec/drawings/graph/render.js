// The markup of what is visible: the elements and classes that style.py writes.
const escapes = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };
const escaped = (text) => text.replace(/[&<>"]/g, (c) => escapes[c]);
const num = (value) => String(Math.round(value * 10) / 10);

// The markup of the blocks within a clip [left, top, right, bottom] at a scale; without a clip, of all.
function markup(clip, scale) {
  const out = { frames: [], edges: [], tips: [], boxes: [], shapes: [], clip, scale, words: scale > 0.3 };
  const [axis, start] = locate(root);
  renderBlock(out, root, axis, start, null);
  return [...out.frames, ...out.edges, ...out.tips, ...out.boxes, ...out.shapes].join("");
}

function hidden(out, left, top, right, bottom) {
  const clip = out.clip;
  return clip && (right < clip[0] || left > clip[2] || bottom < clip[1] || top > clip[3]);
}

const point = (across, along) => (options.down ? [across, along] : [along, across]);

function renderBlock(out, b, axis, start, stack) {
  const size = sizeOf(b), [before, behind] = stack ?? [size.before, size.behind];
  const [x, y] = point(axis - before, start), [w, h] = point(before + behind, size.length);
  if (hidden(out, x, y, x + w, y + h)) return;
  const open = isOpen(b);
  if (!open) return renderBox(out, b, x, y, w, h, size.second);
  if (hasFrame(b)) renderFrame(out, b, x, y, w, h);
  if (Math.max(w, h) * out.scale < 24) {
    if (b.kind === STACK) renderBox(out, b, x, y, w, h, "");
    return;
  }
  const grid = gridOf(b), kids = body(b), base = axis - size.before;
  const axes = size.axes.map((each) => each + base), trunk = axes.length - 1;
  const at = (column) => axes[column === TRUNK ? trunk : column];
  const rows = size.rows.map(([first, last]) => [start + first, start + last]);
  for (let number = 0; number <= rows.length; number++)
    renderChannel(out, b, grid, kids, at, rows, number, start, start + size.length);
  grid.rows.forEach((row, r) => {
    for (const [child, column, net] of row) {
      if (child >= 0) renderBlock(out, kids[child], at(column), rows[r][0], b.kind === STACK ? [before, behind] : null);
      else edge(out, netOf(b, net), [[at(column), rows[r][0]], [at(column), rows[r][1]]], false);
    }
  });
}

function renderChannel(out, b, grid, kids, at, rows, number, start, end) {
  const above = new Map(), arrows = new Set();
  const top = number ? rows[number - 1][1] : start, bottom = number < rows.length ? rows[number][0] : end;
  if (number)
    for (const [child, column] of grid.rows[number - 1]) {
      if (child < 0) continue;
      const kid = kids[child], stop = rows[number - 1][0] + sizeOf(kid).length;
      for (const [net] of grid.out[child]) above.set(net, stop);
      if (hasLabel(kid) && b.kind !== STACK) renderShapes(out, kid, at(column), stop);
    }
  if (number < rows.length)
    for (const [child, column] of grid.rows[number])
      if (child >= 0 && isBox(kids[child]) && b.kind !== STACK)
        for (const [, offset] of grid.in[child]) arrows.add(`${column},${offset}`);
  const level = top + channel(b, kids, grid, number)[0] + (number ? 0 : head(b));
  for (const [net, column, offset, track, ends] of grid.channels[number]) {
    const from = at(column) + offset, first = above.get(net) ?? top, turn = level + C.track * Math.max(0, track);
    const stops = [];
    for (let i = 0; i < ends.length; i += 2)
      stops.push([at(ends[i]) + ends[i + 1], arrows.has(`${ends[i]},${ends[i + 1]}`)]);
    for (const [points, hasTip] of branches(from, first, turn, bottom, stops)) edge(out, netOf(b, net), points, hasTip);
  }
}

// The lines of a net in a channel: the farthest end on each side has the track, the other lines start on it.
function branches(start, top, level, bottom, ends) {
  const lines = ends.filter(([to]) => to === start).map(([to, mark]) => [[[start, top], [to, bottom]], mark]);
  for (const sign of [-1, 1]) {
    const side = ends.filter(([to]) => (to - start) * sign > 0).sort((a, b) => (b[0] - a[0]) * sign);
    side.forEach(([to, mark], number) => {
      const points = [[to, level], [to, bottom]];
      if (!number) points.unshift(...(lines.length ? [[start, level]] : [[start, top], [start, level]]));
      lines.push([points, mark]);
    });
  }
  return lines;
}

function edge(out, net, ends, hasTip) {
  const points = ends.map(([across, along]) => point(across, along));
  const [first, last] = [points[0], points.at(-1)];
  if (first[0] === last[0] && first[1] === last[1]) return;
  const xs = points.map((p) => p[0]), ys = points.map((p) => p[1]);
  if (hidden(out, Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys))) return;
  let d = `M${num(first[0])} ${num(first[1])}`;
  points.slice(1).forEach(([x, y], i) => {
    const next = points[i + 2], [px, py] = points[i];
    if (next) {
      const cut = Math.min(5, (Math.abs(x - px) + Math.abs(y - py)) / 2, (Math.abs(next[0] - x) + Math.abs(next[1] - y)) / 2);
      const back = [x + cut * Math.sign(px - x), y + cut * Math.sign(py - y)];
      const on = [x + cut * Math.sign(next[0] - x), y + cut * Math.sign(next[1] - y)];
      d += `L${num(back[0])} ${num(back[1])}Q${num(x)} ${num(y)} ${num(on[0])} ${num(on[1])}`;
    } else d += `L${num(x)} ${num(y)}`;
  });
  out.edges.push(`<path d="${d}" class="edge" data-net="${net}"/>`);
  if (!hasTip || !out.words) return;
  const [x, y] = last, side = options.down ? [[x - 3, y - 5], [x + 3, y - 5]] : [[x - 5, y - 3], [x - 5, y + 3]];
  out.tips.push(`<polygon points="${side.map((p) => p.map(num)).join(" ")} ${num(x)},${num(y)}" class="tip"/>`);
}

function words(x, y, text, size, attributes) {
  return `<text x="${num(x)}" y="${num(y)}" font-size="${size}" ${attributes}>${escaped(text)}</text>`;
}

function renderShapes(out, kid, axis, end) {
  if (!out.words) return;
  const several = kid.outs.length > 1, beside = C.pitch * (kid.outs.length - 1);
  kid.outs.slice(-2).reverse().forEach((net, place) => {
    const text = shapeOf(net), left = several && !place ? axis - C.stub - textWidth(text, C.small) : axis + C.stub + beside;
    const [x, y] = options.down ? [left, end + 11] : [end + C.stub + 2, place ? axis + beside + 10 : axis - 3];
    if (!hidden(out, x, y - 9, x + 200, y)) out.shapes.push(words(x, y, text, C.small, `class="faint" data-net="${net}"`));
  });
}

function renderFrame(out, b, x, y, w, h) {
  const chosen = b === current ? " current" : "";
  let inside = `<rect x="${num(x)}" y="${num(y)}" width="${num(w)}" height="${num(h)}" class="frame" rx="6"/>`;
  if (out.words) {
    inside += words(x + C.padding, y + 12, shortened(b.label, C.small), C.small, `class="faint title"`);
    if (b.kind === REPEAT) {
      const mode = showsFirst(b) ? "all" : "one";
      inside += words(x + w - C.padding, y + 12, mode, C.small, `class="title copies" text-anchor="end"`);
    }
  }
  out.frames.push(`<g class="block${chosen}" data-path="${escaped(b.path)}" data-b="${b.id}">${inside}</g>`);
}

function renderBox(out, b, x, y, w, h, second) {
  const kind = b.kind === LAYER ? b.facts.family : isOpen(b) ? layers[b.start].facts.family : "block";
  const rect = (dx) => `<rect x="${num(x + dx)}" y="${num(y + dx)}" width="${num(w)}" height="${num(h)}" class="f-${kind}" rx="4"/>`;
  let inside = (b.kind === REPEAT ? rect(3) : "") + rect(0);
  if (out.words) {
    const line = y + (h - (second ? C.line : 0)) / 2 + 4;
    inside += words(x + w / 2, line, shortened(b.label, C.font), C.font, `text-anchor="middle"`);
    if (second) inside += words(x + w / 2, line + C.line, second, C.small, `text-anchor="middle" class="faint"`);
  }
  const name = (b.kind === LAYER ? "layer" : "folded") + (b === current ? " current" : "");
  out.boxes.push(`<g class="${name}" data-path="${escaped(b.path)}" data-b="${b.id}">${inside}</g>`);
}

// Rectangles for the mini map, as far as they are visible at its scales: [x, y, width, height, color].
function mapRects(scaleX, scaleY) {
  const rects = [];
  const visit = (b, axis, start) => {
    const size = sizeOf(b), [x, y] = point(axis - size.before, start), [w, h] = point(size.before + size.behind, size.length);
    if (b.parent) rects.push([x, y, w, h, isOpen(b) ? "frame" : b.kind === LAYER ? b.facts.family : "block"]);
    if (!isOpen(b) || Math.max(w * scaleX, h * scaleY) < 3) return;
    const grid = gridOf(b), kids = body(b), base = axis - size.before, trunk = size.axes.length - 1;
    grid.rows.forEach((row, r) => {
      for (const [child, column] of row)
        if (child >= 0) visit(kids[child], base + size.axes[column === TRUNK ? trunk : column], start + size.rows[r][0]);
    });
  };
  visit(root, ...locate(root));
  return rects;
}
