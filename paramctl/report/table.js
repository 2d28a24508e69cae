const ROW = 30; // pixels, as in the style
const SPARE = 12; // rows that are drawn above and below those in sight
const PRINTED = 1000; // rows
const PAGE = 15; // rows that a page key goes

const numberCell = (column) => (parameter) => short(parameters[column][parameter], 3);
const count = (column) => (parameter) => whole(parameters[column][parameter] || null);
const value = (column) => (parameter) => parameters[column][parameter];
const COLUMNS = {
  name: { title: 'name', key: (parameter) => nameOfParameter(parameter) },
  shape: { title: 'shape', text: (parameter) => parameters.shape[parameter] ?? '', key: value('values') },
  dtype: { title: 'dtype', text: value('dtype'), key: value('dtype') },
  values: { title: 'values', number: true, key: value('values') },
  bytes: { title: 'size', number: true, key: value('bytes') },
  bars: { title: 'histogram' },
  mean: { title: 'mean', number: true, text: numberCell('mean'), key: value('mean') },
  std: { title: 'std', number: true, text: numberCell('std'), key: value('std') },
  min: { title: 'min', number: true, text: numberCell('min'), key: value('min') },
  max: { title: 'max', number: true, text: numberCell('max'), key: value('max') },
  zeros: { title: 'zeros', number: true, text: (each) => percent(zeros(each)), key: zeros },
  nan: { title: 'NaN', number: true, text: count('nan'), key: value('nan') },
  inf: { title: 'Inf', number: true, text: count('inf'), key: value('inf') },
  note: { title: 'tied to, notes', text: tellNote, key: (parameter) => tellNote(parameter) || null },
};
const SIZES = { values: whole, bytes }; // that layers have too, as sums
const changes = page.comparison?.changes;

function tellNote(parameter) {
  const stored = parameters.stored[parameter];
  const tied = stored == null ? [] : [`= ${nameOfParameter(stored)}`];
  const change = changes && changes[parameter] !== 'equal' ? [changes[parameter]] : [];
  const note = parameters.note[parameter];
  return [...change, ...tied, ...(note ? [note] : [])].join(', ');
}

/** Draw digits as small bars. */
function drawBars(digits) {
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('viewBox', `0 0 ${digits.length} 9`);
  svg.setAttribute('preserveAspectRatio', 'none');
  svg.setAttribute('class', 'bars');
  svg.setAttribute('aria-hidden', 'true');
  const path = document.createElementNS(SVG, 'path');
  const bar = (digit, place) => (digit > 0 ? `M${place + 0.08} 9v-${digit}h.84v${digit}z` : '');
  path.setAttribute('d', Array.from(digits, bar).join(''));
  svg.append(path);
  return svg;
}

const table = byId('table');
const body = make('div', { class: 'body', role: 'rowgroup' });

function drawHead() {
  const cells = Object.entries(COLUMNS).map(([column, { title, number, key }]) => {
    const sort = () => sortBy(state.sorted === column ? '' : column);
    const label = key ? make('button', { type: 'button', tabindex: -1, click: sort }, title) : title;
    return make('div', { role: 'columnheader', class: number ? 'cell number' : 'cell', 'data-column': column, 'aria-sort': key ? 'none' : null }, label);
  });
  table.append(make('div', { class: 'row head', role: 'row', 'aria-rowindex': 1 }, cells), body);
}

function sortBy(column) {
  state.sorted = column;
  for (const head of table.querySelectorAll('[aria-sort]')) {
    const order = column === 'name' || column === 'dtype' || column === 'note' ? 'ascending' : 'descending';
    head.setAttribute('aria-sort', head.dataset.column === column ? order : 'none');
  }
  drawTable();
  table.scrollTop = 0;
}

let isPrinted = false;

/** Draw the rows anew after the lines that are shown have changed. */
function drawTable() {
  showLines();
  const count = isPrinted ? Math.min(state.shown.length, PRINTED) : state.shown.length;
  body.style.height = `${count * ROW}px`;
  table.setAttribute('aria-rowcount', state.shown.length + 1);
  drawRows();
}

/** Draw the rows in sight; on paper, as many as there is room for. */
function drawRows() {
  const first = isPrinted ? 0 : Math.max(0, Math.floor(table.scrollTop / ROW) - SPARE);
  const last = isPrinted ? PRINTED : Math.ceil((table.scrollTop + table.clientHeight) / ROW) + SPARE;
  const rows = state.shown.slice(first, last).map((line, place) => drawRow(line, first + place));
  body.replaceChildren(...rows);
  const active = document.getElementById(`line-${state.active}`);
  if (active) table.setAttribute('aria-activedescendant', active.id);
  else table.removeAttribute('aria-activedescendant');
}

function drawRow(line, at) {
  const parameter = parameterOf(line);
  const shown = Object.keys(COLUMNS).filter((column) => parameter >= 0 || column !== 'dtype');
  const cells = shown.map((column) => drawCell(line, column));
  const stored = parameter < 0 ? null : parameters.stored[parameter];
  const row = make('div', {
    id: `line-${line}`,
    class: `row${parameter < 0 ? ' layer' : ''}${stored == null ? '' : ' tied'}`,
    role: 'row',
    'data-change': parameter < 0 ? null : changes?.[parameter],
    'aria-rowindex': at + 2,
    'aria-level': state.sorted ? 1 : tree.level[line],
    'aria-selected': String(line === state.active),
    'aria-expanded': isLayer(line) && !state.sorted ? String(!isFolded(line)) : null,
    click: () => activate(line),
  }, cells);
  row.style.top = `${at * ROW}px`;
  return row;
}

function drawCell(line, column) {
  const { number, text } = COLUMNS[column];
  const parameter = parameterOf(line);
  const cell = make('div', { class: `cell ${column}${number ? ' number' : ''}`, role: 'gridcell' });
  if (column === 'name') cell.append(...drawName(line));
  else if (column in SIZES) {
    const size = isLayer(line) ? layers[column][tree.place[line]] : parameters[column][parameter];
    cell.append(SIZES[column](size));
  }
  else if (parameter >= 0 && column === 'bars') {
    if (parameters.bars[parameter]) cell.append(drawBars(parameters.bars[parameter]));
  } else if (parameter >= 0) {
    cell.append(text(parameter));
    if (column === 'note') cell.title = cell.textContent;
  } else if (column === 'shape') {
    cell.classList.add('class');
    cell.setAttribute('aria-colspan', 2);
    cell.append(layers.class[tree.place[line]]);
  }
  return cell;
}

function drawName(line) {
  const place = tree.place[line];
  if (state.sorted) return [make('span', { class: 'label', title: nameOf(place) }, mark(nameOf(place)))];
  const space = make('span', { class: 'indent' });
  space.style.width = `${(tree.level[line] - 1) * 16}px`;
  const label = make('span', { class: 'label', title: nameOf(place) }, mark(tree.label[line] || "''"));
  if (!isLayer(line)) return [space, make('span', { class: 'leaf' }), label];
  const fold = make('button', {
    type: 'button',
    class: 'fold',
    tabindex: -1,
    'aria-expanded': String(!isFolded(line)),
    'aria-label': `${isFolded(line) ? 'Unfold' : 'Fold'} ${nameOf(place)}`,
    click: (event) => {
      event.stopPropagation();
      toggle(line);
      drawTable();
    },
  });
  return [space, fold, label];
}

/** Mark the words that are searched. */
function mark(text) {
  const lower = text.toLowerCase();
  const word = state.words.find((each) => lower.includes(each));
  if (!word || lower.length !== text.length) return [text];
  const start = lower.indexOf(word);
  const end = start + word.length;
  return [text.slice(0, start), make('mark', {}, text.slice(start, end)), text.slice(end)];
}

/** Draw for paper, where nothing scrolls, or for the screen again. */
function setPrinted(isOn) {
  isPrinted = isOn;
  drawTable();
  fitPictures(isOn);
  const more = isOn ? state.shown.length - PRINTED : 0;
  byId('print-note').textContent = more > 0 ? `${plural(more, 'more row')} are not printed: fold layers, or search.` : '';
}

/** Make a line the chosen one, in sight, and tell of it. */
function activate(line) {
  state.active = line;
  const at = state.shown.indexOf(line);
  const head = table.firstChild.offsetHeight;
  const room = table.clientHeight - head - ROW;
  if (at * ROW < table.scrollTop) table.scrollTop = at * ROW;
  else if (at * ROW > table.scrollTop + room) table.scrollTop = at * ROW - room;
  drawRows();
  tellOf(line);
}

/** Choose a layer or parameter by its place, wherever it is. */
function choose(place) {
  const line = lineOf[place];
  if (state.words.length || state.sorted) {
    byId('search').value = '';
    find();
    sortBy('');
  }
  reveal(line);
  drawTable();
  byId('parameters').scrollIntoView({ block: 'start' });
  table.focus({ preventScroll: true });
  activate(line);
}

/** Go as the keys say: up and down, into layers and out of them. */
function go(event) {
  const { shown, active } = state;
  const at = shown.indexOf(active);
  const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: PAGE, PageUp: -PAGE, Home: -shown.length, End: shown.length };
  if (event.altKey || event.ctrlKey || event.metaKey || !shown.length) return;
  if (event.key in steps) {
    activate(shown[Math.min(Math.max(at + steps[event.key], 0), shown.length - 1)]);
  } else if (at >= 0 && (event.key === 'ArrowRight' || event.key === 'ArrowLeft' || event.key === 'Enter')) {
    goAcross(active, event.key);
  } else return;
  event.preventDefault();
}

function goAcross(line, key) {
  const unfolded = isLayer(line) && !isFolded(line);
  if (state.sorted) return;
  if (key === 'ArrowRight' && unfolded) activate(state.shown[state.shown.indexOf(line) + 1]);
  else if (key === 'ArrowLeft' && !unfolded) activate(tree.parent[line] < 0 ? line : tree.parent[line]);
  else if (isLayer(line)) {
    toggle(line);
    drawTable();
  }
}

/** Search for what is typed. */
function find() {
  const found = search(byId('search').value);
  const all = plural(places.length, 'parameter');
  byId('count').textContent = state.words.length ? `${whole(found)} of ${all}` : all;
  drawTable();
  table.scrollTop = 0;
}
