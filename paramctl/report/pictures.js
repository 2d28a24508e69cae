const CONFIG = { displayModeBar: false, responsive: true, doubleClick: false };
const PAPER = 1030; // pixels: as wide as the table, to which paper is fitted
const CHARACTER = 7.4; // pixels, of a name in the graph of ties
const NAME_SHARE = 0.38; // of its width, on both sides
const TIE_ROW = 26; // pixels

const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

/** A text as plotly's labels take it, which read a little HTML. */
const plain = (text) => text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;');

function layout(more) {
  return {
    paper_bgcolor: 'transparent',
    plot_bgcolor: 'transparent',
    font: { family: 'system-ui, sans-serif', size: 12, color: color('text') },
    hoverlabel: {
      bgcolor: color('raised'),
      bordercolor: color('line'),
      font: { family: 'system-ui, sans-serif', size: 12, color: color('text') },
      align: 'left',
      namelength: -1,
    },
    margin: { l: 0, r: 0, t: 0, b: 0 },
    showlegend: false,
    ...more,
  };
}

/** Mix two colours that are written as #rrggbb. */
function mix(one, other, share) {
  const parts = (text) => [1, 3, 5].map((start) => parseInt(text.slice(start, start + 2), 16));
  const [a, b] = [parts(one), parts(other)];
  return `rgb(${a.map((part, place) => Math.round(part + (b[place] - part) * share)).join(',')})`;
}

/**
 * What tells the colour of each box: the first part of its name that is no number and holds not the
 * half of the model, so that what repeats in every block has one colour; "" above that.
 */
function boxKinds(boxes) {
  const half = boxes.values[0] / 2;
  const kinds = [];
  boxes.parent.forEach((parent, box) => {
    const label = boxes.label[box];
    const isCommon = parent == null || (boxes.values[box] > half && boxes.parent.includes(box)) || /^\d+$/.test(label);
    kinds.push((parent != null && kinds[parent]) || (isCommon ? '' : label));
  });
  return kinds;
}

function boxColors(boxes) {
  const kinds = boxKinds(boxes);
  const sums = new Map();
  boxes.values.forEach((values, box) => {
    const isOutermost = kinds[box] && !kinds[boxes.parent[box]];
    if (isOutermost) sums.set(kinds[box], (sums.get(kinds[box]) ?? 0) + values);
  });
  const order = [...sums.keys()].sort((a, b) => sums.get(b) - sums.get(a));
  const palette = [1, 2, 3, 4, 5, 6, 7, 8].map((number) => color(`box-${number}`));
  return kinds.map((kind, box) => {
    if (!kind) return color(boxes.parent[box] == null ? 'raised' : 'hover');
    const own = palette[order.indexOf(kind) % palette.length];
    return kinds[boxes.parent[box]] ? mix(own, color('surface'), 0.18) : own;
  });
}

function drawTreemap() {
  const { boxes } = page;
  const picture = byId('treemap');
  const total = boxes.values[0];
  if (!total) {
    picture.hidden = true;
    byId('map-note').textContent = 'There are no values to draw.';
    return;
  }
  const hover = boxes.values.map((values, box) => {
    const name = boxes.layer[box] > 0 ? nameOf(boxes.layer[box]) : boxes.label[box];
    return `<b>${plain(clip(name, 80))}</b><br>${plural(values, 'value')}, ${percent(values / total)} of all`;
  });
  const trace = {
    type: 'treemap',
    ids: boxes.label.map((_, box) => String(box)),
    parents: boxes.parent.map((parent) => (parent == null ? '' : String(parent))),
    labels: boxes.label.map((label) => plain(clip(label, 60))),
    values: boxes.values,
    customdata: boxes.layer,
    hovertext: hover,
    hoverinfo: 'text',
    texttemplate: '%{label}<br>%{percentRoot:.1%}',
    branchvalues: 'total',
    maxdepth: 4,
    sort: true,
    tiling: { pad: 1 },
    marker: { colors: boxColors(boxes), line: { width: 1, color: color('surface') }, pad: { t: 20, l: 3, r: 3, b: 3 } },
    pathbar: { thickness: 24, textfont: { color: color('text') } },
  };
  Plotly.react(picture, [trace], layout({ uniformtext: { minsize: 9, mode: 'hide' } }), CONFIG);
  const more = boxes.left_out ? ` ${plural(boxes.left_out, 'parameter')} too small to see are in the boxes of their layers.` : '';
  byId('map-note').textContent = `Areas are numbers of values; what is tied counts once. Click a layer to enter it, a parameter to find it below.${more}`;
}

/** Choose the parameter whose box is clicked; a layer is entered, which plotly does. */
function clickBox(event) {
  const box = Number(event.points[0].id);
  if (page.boxes.parent.includes(box)) return true;
  if (page.boxes.layer[box] >= 0) choose(page.boxes.layer[box]);
  return false;
}

/** Draw the histogram of a parameter, the other model's over it where both have been read. */
function drawHistogram(picture, parameter, isLog) {
  const bins = parameters.bins[parameters.stored[parameter] ?? parameter];
  picture.replaceChildren();
  if (!bins) {
    const bars = parameters.bars[parameter];
    if (bars) picture.append(drawBars(bars), make('p', { class: 'note' }, 'In few bars: the page has all bins of the largest parameters only.'));
    return;
  }
  const [low, high, ours, theirs] = bins;
  const edge = (place) => low * (1 - place / ours.length) + high * (place / ours.length);
  const text = (counts) => counts.map((number, bin) => `${short(edge(bin))} to ${short(edge(bin + 1))}<br>${plural(number, 'value')}`);
  const middles = ours.map((_, bin) => bin + 0.5);
  const traces = [
    { type: 'bar', name: plain(clip(page.model.title, 30)), x: middles, y: ours, width: 0.92, hovertext: text(ours), hoverinfo: 'text', marker: { color: color('accent') } },
  ];
  if (theirs) {
    traces.push({ type: 'scatter', mode: 'lines', name: plain(clip(page.comparison.title, 30)), x: middles, y: theirs, line: { shape: 'hvh', color: color('other'), width: 1.6 }, hovertext: text(theirs), hoverinfo: 'text+name' });
  }
  const ticks = [0, 0.5, 1].map((share) => share * ours.length);
  const most = Math.max(...ours, ...(theirs ?? []));
  const axis = { gridcolor: color('line'), zeroline: false, fixedrange: true, tickfont: { size: 10, color: color('faint') } };
  const chart = make('div', { class: 'chart' });
  const scale = make('button', { type: 'button', 'aria-pressed': String(isLog), click: () => drawHistogram(picture, parameter, !isLog) }, 'log scale');
  picture.append(chart, scale);
  Plotly.newPlot(chart, traces, layout({
    height: theirs ? 220 : 190,
    margin: { l: 40, r: 24, t: theirs ? 28 : 8, b: 24 },
    bargap: 0,
    showlegend: Boolean(theirs),
    legend: { orientation: 'h', x: 0, y: 1.02, yanchor: 'bottom', font: { size: 11 } },
    xaxis: { ...axis, showgrid: false, tickangle: 0, range: [-0.5, ours.length + 0.5], tickvals: ticks, ticktext: ticks.map((tick) => short(edge(tick), 3)) },
    yaxis: { ...axis, type: isLog ? 'log' : 'linear', rangemode: 'tozero', nticks: 5, dtick: !isLog && most < 5 ? 1 : null, tickformat: isLog ? '~s' : ',~s' },
  }), CONFIG);
}

/** Draw each stored name with lines to the names that share its values. */
function drawTies() {
  const { groups } = page.ties;
  if (!groups.length) return;
  const nodes = { x: [], y: [], text: [], hovertext: [], customdata: [], textposition: [], color: [] };
  const add = (parameter, x, y) => {
    const name = nameOfParameter(parameter);
    const told = `${plain(clip(name, 100))}<br>${parameters.shape[parameter] ?? ''} ${parameters.dtype[parameter]}`;
    const cells = { x, y, text: plain(clip(name, room)), hovertext: told, customdata: parameter };
    Object.entries(cells).forEach(([key, cell]) => nodes[key].push(cell));
    nodes.textposition.push(x ? 'middle right' : 'middle left');
    nodes.color.push(color(x ? 'other' : 'accent'));
  };
  const shapes = [];
  const room = Math.floor((byId('tie-graph').clientWidth * NAME_SHARE) / CHARACTER);
  let row = 0;
  for (const [stored, ...others] of groups) {
    const middle = row + (others.length - 1) / 2;
    others.forEach((parameter, place) => {
      const y = row + place;
      shapes.push({ type: 'path', path: `M0,${middle} C0.5,${middle} 0.5,${y} 1,${y}`, line: { color: color('line-strong'), width: 1.5 }, layer: 'below' });
      add(parameter, 1, y);
    });
    add(stored, 0, middle);
    row += others.length + 0.5;
  }
  const { color: colors, ...cells } = nodes;
  const trace = { type: 'scatter', mode: 'markers+text', ...cells, hoverinfo: 'text', marker: { size: 9, color: colors }, textfont: { family: 'ui-monospace, monospace', size: 12 }, cliponaxis: false };
  const hidden = { visible: false, fixedrange: true };
  const height = Math.max(64, row * TIE_ROW + 20);
  Plotly.react(byId('tie-graph'), [trace], layout({
    height,
    shapes,
    xaxis: { ...hidden, range: [-1.7, 2.7] },
    yaxis: { ...hidden, range: [row - 0.2, -0.8] },
  }), CONFIG);
}

/** Make pictures as wide as paper is, or as the window again. */
function fitPictures(isPaper) {
  for (const id of ['treemap', 'tie-graph']) {
    if (byId(id).data) Plotly.relayout(byId(id), isPaper ? { width: PAPER } : { width: null, autosize: true });
  }
}
