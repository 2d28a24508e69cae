/** The lines of the tree: a layer that holds a single thing is joined to it, as `wte.weight`. */
const tree = { place: [], label: [], level: [], parent: [], end: [] };
/** The line of each place in the layers; of those that are joined, that of the last one. */
const lineOf = new Int32Array(layers.parent.length).fill(-1);

function buildTree() {
  const count = layers.parent.length;
  const children = new Int32Array(count);
  for (let place = 1; place < count; place += 1) children[layers.parent[place]] += 1;
  let label = '';
  for (let place = 1; place < count; place += 1) {
    label = label ? `${label}.${layers.label[place]}` : layers.label[place];
    lineOf[place] = tree.place.length;
    if (children[place] === 1 && layers.parameter[place] < 0 && !layers.class[place]) continue;
    const parent = lineOfParent(place);
    tree.place.push(place);
    tree.label.push(label);
    tree.parent.push(parent);
    tree.level.push(parent < 0 ? 1 : tree.level[parent] + 1);
    tree.end.push(tree.place.length);
    label = '';
  }
  for (let line = tree.place.length - 1; line >= 0; line -= 1) {
    const parent = tree.parent[line];
    if (parent >= 0) tree.end[parent] = Math.max(tree.end[parent], tree.end[line]);
  }
}

/** The line that a place is below: the nearest layer above it that has a line to itself. */
function lineOfParent(place) {
  for (let at = layers.parent[place]; at > 0; at = layers.parent[at]) {
    if (tree.place[lineOf[at]] === at) return lineOf[at];
  }
  return -1;
}

const parameterOf = (line) => layers.parameter[tree.place[line]];
const isLayer = (line) => tree.end[line] > line + 1;

buildTree();
const FIRST_LINES = 300; // that are unfolded at first
const state = {
  folded: new Uint8Array(tree.place.length),
  searchFolded: null, // of what is found; null where nothing is searched
  found: null,
  words: [],
  sorted: '',
  shown: [],
  active: -1,
};

/** Fold the layers below the greatest depth at which there are few enough lines. */
function foldAtFirst() {
  const deepest = tree.level.reduce((a, b) => Math.max(a, b), 1);
  let depth = 1;
  let lines = tree.level.filter((level) => level === 1).length;
  while (depth < deepest) {
    lines += tree.level.filter((level) => level === depth + 1).length;
    if (lines > FIRST_LINES) break;
    depth += 1;
  }
  setFolds((line) => tree.level[line] >= depth);
}

function setFolds(isFolded) {
  const folded = state.searchFolded ?? state.folded;
  for (let line = 0; line < folded.length; line += 1) folded[line] = isLayer(line) && isFolded(line) ? 1 : 0;
}

const isFolded = (line) => (state.searchFolded ?? state.folded)[line] === 1;

function toggle(line, folded = !isFolded(line)) {
  (state.searchFolded ?? state.folded)[line] = folded ? 1 : 0;
}

let haystacks = null;

function haystack(parameter) {
  haystacks ??= Array.from(places, (place, each) => {
    const { dtype, shape } = parameters;
    const layer = layers.class[layers.parent[place]];
    return `${nameOf(place)} ${shape[each] ?? ''} ${dtype[each]} ${layer}`.toLowerCase();
  });
  return haystacks[parameter];
}

/** Look for parameters that hold all words; "" ends the search. */
function search(text) {
  state.words = text.toLowerCase().split(/\s+/).filter(Boolean);
  state.searchFolded = state.words.length ? new Uint8Array(tree.place.length) : null;
  state.found = state.words.length ? new Uint8Array(tree.place.length) : null;
  if (!state.found) return places.length;
  let count = 0;
  for (let line = 0; line < tree.place.length; line += 1) {
    const parameter = parameterOf(line);
    if (parameter < 0 || !state.words.every((word) => haystack(parameter).includes(word))) continue;
    count += 1;
    state.found[line] = 2;
    for (let at = tree.parent[line]; at >= 0 && !state.found[at]; at = tree.parent[at]) state.found[at] = 1;
  }
  return count;
}

/** The lines that are shown: the tree, or parameters sorted by a column. */
function showLines() {
  state.shown = [];
  if (state.sorted) {
    for (let line = 0; line < tree.place.length; line += 1) {
      if (parameterOf(line) >= 0 && (!state.found || state.found[line] === 2)) state.shown.push(line);
    }
    sortLines(state.shown, state.sorted);
    return;
  }
  for (let line = 0; line < tree.place.length; line = isFolded(line) ? tree.end[line] : line + 1) {
    if (!state.found || state.found[line]) state.shown.push(line);
  }
}

function sortLines(lines, column) {
  const key = COLUMNS[column].key;
  const keys = new Map(lines.map((line) => [line, key(parameterOf(line))]));
  lines.sort((a, b) => {
    const [x, y] = [keys.get(a), keys.get(b)];
    if (x == null || y == null) return (x == null) - (y == null) || a - b;
    return typeof x === 'string' ? x.localeCompare(y) || a - b : y - x || a - b;
  });
}

/** Unfold what is above a line. */
function reveal(line) {
  for (let at = tree.parent[line]; at >= 0; at = tree.parent[at]) toggle(at, false);
}
