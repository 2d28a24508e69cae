const LISTED = 50; // rows of a list at first
const FACT_ROOM = 300; // characters of a value in the metadata

/** A table; of a long one the first rows, and a button for all. */
function list(heads, rows) {
  const body = make('tbody', {}, rows.slice(0, LISTED));
  const titles = heads.map((head) => make('th', { scope: 'col' }, head));
  const box = make('div', { class: 'list' }, make('table', {}, make('thead', {}, make('tr', {}, titles)), body));
  if (rows.length > LISTED) {
    const more = make('button', { type: 'button', click: () => { body.append(...rows.slice(LISTED)); more.remove(); } }, `Show all ${whole(rows.length)}`);
    box.append(more);
  }
  return box;
}

const cells = (...each) => make('tr', {}, each.map((cell) => make('td', {}, cell)));
const named = (parameter, name) => (parameter == null ? make('code', {}, name) : link(parameter));

function fillHead() {
  const { model, comparison, remarks } = page;
  byId('file').textContent = model.header;
  byId('other').hidden = !comparison;
  if (comparison) byId('other').textContent = `against ${comparison.header}`;
  byId('numbers').append(...model.numbers.map(([number, what]) => make('li', {}, make('b', {}, number), ' ', what)));
  byId('remarks').append(...remarks.map((remark) => make('li', {}, remark)));
  byId('footer').textContent = `paramctl ${page.version}. This page holds all that it shows, and loads nothing.`;
}

function fillNavigation() {
  const sections = [...document.querySelectorAll('main section:not([hidden])')];
  byId('sections').append(...sections.map(({ id }) => make('a', { href: `#${id}` }, byId(`${id}-title`).textContent)));
}

function fillTies() {
  const { groups, left_out: more } = page.ties;
  byId('tie-graph').hidden = !groups.length;
  if (!groups.length) byId('ties-note').textContent = 'No two names share their values.';
  else if (more) byId('ties-note').textContent = `${plural(more, 'more name')} are not drawn; the table tells them all.`;
  else byId('ties-note').textContent = 'On the left what is stored, on the right the other names of it.';
}

function fillFindings() {
  const { summary, listed, hints, unchecked, left_out: more } = page.findings;
  byId('findings-note').textContent = more ? `${summary}; ${whole(more)} more are not listed` : summary;
  const rows = listed.map(({ severity, kind, parameter, name, what }) => cells(badge(severity, kind), named(parameter, name), what, hints[kind]));
  if (rows.length) byId('findings-list').append(list(['kind', 'parameter', 'what', 'what to do'], rows));
  byId('findings-list').append(...unchecked.map((line) => make('p', { class: 'note' }, line)));
}

function fillComparison() {
  const { comparison } = page;
  if (!comparison) return;
  byId('comparison').hidden = false;
  const more = comparison.left_out ? [`${whole(comparison.left_out)} more are not listed`] : [];
  byId('comparison-note').textContent = [...comparison.summary, ...more].join('; ');
  const rows = comparison.listed.map((each) => cells(
    badge(each.change, each.change),
    named(each.parameter, each.name),
    each.a === each.b ? each.a : [each.a ?? '–', ' → ', each.b ?? '–'],
    make('span', { title: each.at ? `at ${each.at}` : null }, short(each.largest)),
    short(each.relative),
    each.cosine == null ? '' : String(Number(each.cosine.toFixed(6))),
    percent(each.equal),
    each.note,
  ));
  const heads = ['', 'parameter', 'type', 'largest difference', 'relative L2', 'cosine', 'equal', ''];
  if (rows.length) byId('comparison-list').append(list(heads, rows));
  const facts = comparison.facts.map(({ kind, key, a, b }) => cells(kind, make('code', {}, key), clip(a, FACT_ROOM), clip(b, FACT_ROOM)));
  if (facts.length) byId('comparison-list').append(list(['', 'key', 'here', 'there'], facts));
}

function fillInit() {
  const { records } = page.init;
  if (!records.length) return;
  byId('init').hidden = false;
  const rows = records.map(({ scheme, rule, seed, count, parameters: some }) => {
    const names = some.map(link);
    return cells(make('code', {}, scheme), make('code', {}, rule), seed, [count, make('div', { class: 'links' }, names)]);
  });
  byId('init-list').append(list(['scheme', 'rule', 'seed', 'parameters'], rows));
}

function fillText(name) {
  if (!page[name]) return;
  byId(name).hidden = false;
  byId(`${name}-text`).textContent = page[name];
}
