const findingsOf = new Map();
for (const finding of page.findings.listed) {
  if (finding.parameter == null) continue;
  if (!findingsOf.has(finding.parameter)) findingsOf.set(finding.parameter, []);
  findingsOf.get(finding.parameter).push(finding);
}
const tiedTo = new Map();
parameters.stored.forEach((stored, parameter) => {
  if (stored == null) return;
  if (!tiedTo.has(stored)) tiedTo.set(stored, [stored]);
  tiedTo.get(stored).push(parameter);
});
const differences = new Map();
for (const each of page.comparison?.listed ?? []) {
  if (each.parameter != null) differences.set(each.parameter, each);
}
const TOLD = 12; // ties

/** A button that leads to a parameter. */
function link(parameter) {
  return make('button', { type: 'button', class: 'link', click: () => choose(places[parameter]) }, nameOfParameter(parameter));
}

function facts(pairs) {
  const list = make('dl', {});
  for (const [label, fact] of pairs) {
    if (fact == null || fact === '' || fact.length === 0) continue;
    list.append(make('dt', {}, label), make('dd', {}, fact));
  }
  return list;
}

/** Tell of the chosen line. */
function tellOf(line) {
  const parameter = line < 0 ? -1 : parameterOf(line);
  const details = byId('details');
  if (line < 0) {
    details.replaceChildren(make('p', { class: 'note' }, 'Choose a row to see its histogram and all that is known of it.'));
  } else if (parameter < 0) {
    details.replaceChildren(...tellLayer(tree.place[line]));
  } else {
    details.replaceChildren(...tellParameter(parameter));
    drawHistogram(byId('histogram'), parameter, false);
  }
}

function tellLayer(place) {
  const share = layers.values[0] ? layers.values[place] / layers.values[0] : null;
  return [
    make('h3', {}, nameOf(place)),
    facts([
      ['class', layers.class[place]],
      ['values', whole(layers.values[place])],
      ['share', percent(share)],
      ['size', bytes(layers.bytes[place])],
    ]),
  ];
}

function tellParameter(parameter) {
  const of = (column) => parameters[column][parameter];
  const strange = ['nan', 'inf'].map((column) => [{ nan: 'NaN', inf: 'Inf' }[column], of(column)]);
  return [
    make('h3', {}, nameOfParameter(parameter)),
    facts([
      ['shape', of('shape')],
      ['dtype', of('dtype')],
      ['values', whole(of('values'))],
      ['size', bytes(of('bytes'))],
      ['class', layers.class[layers.parent[places[parameter]]]],
      ['kind', of('kind')],
      ['requires_grad', of('trained') == null ? '' : String(of('trained'))],
      ['note', of('note')],
      ['tied to', tellTies(parameter)],
      ['init', tellInit(parameter)],
    ]),
    ...tellFindings(parameter),
    ...tellDifference(parameter),
    make('div', { id: 'histogram', class: 'histogram' }),
    facts([
      ['mean', short(of('mean'))],
      ['std', short(of('std'))],
      ['min', short(of('min'))],
      ['max', short(of('max'))],
      ['largest |x|', short(of('absmax'))],
      ['norm', short(of('norm'))],
      ['zeros', of('zeros') == null ? '' : `${whole(of('zeros'))} (${percent(zeros(parameter))})`],
      ...strange.map(([label, number]) => [label, number ? whole(number) : '']),
    ]),
  ];
}

function tellTies(parameter) {
  const group = tiedTo.get(parameters.stored[parameter] ?? parameter) ?? [];
  const others = group.filter((each) => each !== parameter);
  const more = others.length > TOLD ? [`and ${whole(others.length - TOLD)} more`] : [];
  return [...others.slice(0, TOLD).map(link), ...more];
}

function tellInit(parameter) {
  const record = page.init.records[page.init.of_parameter[parameter]];
  return record ? `${record.scheme}, by ${record.rule}, seed ${record.seed}` : '';
}

function tellFindings(parameter) {
  const found = findingsOf.get(parameters.stored[parameter] ?? parameter) ?? [];
  return found.map(({ severity, kind, what }) => make('p', { class: `finding ${severity}` }, badge(severity, kind), ' ', what));
}

const badge = (style, text) => make('span', { class: `badge ${style}` }, text);

function tellDifference(parameter) {
  const each = differences.get(parameter);
  if (!each) return [];
  return [
    make('p', {}, badge(each.change, each.change), ' ', each.note),
    facts([
      ['here', each.a],
      ['there', each.b],
      ['largest difference', each.largest == null ? '' : `${short(each.largest)}${each.at ? ` at ${each.at}` : ''}`],
      ['relative L2', short(each.relative)],
      ['cosine', each.cosine == null ? '' : String(Number(each.cosine.toFixed(6)))],
      ['equal', percent(each.equal)],
    ]),
  ];
}
