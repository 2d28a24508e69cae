'use strict';

const page = JSON.parse(document.getElementById('document').textContent);
const { layers, parameters } = page;
const byId = (id) => document.getElementById(id);
const SVG = 'http://www.w3.org/2000/svg';

/** Make an element. Strings among the children become text, whatever is in them. */
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === 'function') element.addEventListener(key, value);
    else if (value === true) element.setAttribute(key, '');
    else if (value !== false && value != null) element.setAttribute(key, value);
  }
  element.append(...children.flat().filter((child) => child != null));
  return element;
}

/** Write a number with some digits that count. */
function short(value, digits = 4) {
  if (value == null) return '';
  if (typeof value === 'string') return value;
  const isTiny = value !== 0 && Math.abs(value) < 1e-3;
  const text = isTiny ? value.toExponential(digits - 1) : value.toPrecision(digits);
  return text.includes('.') ? text.replace(/\.?0+(?=e|$)/, '') : text;
}

const counted = new Intl.NumberFormat('en');
const whole = (count) => (count == null ? '' : counted.format(count));
const plural = (count, noun) => `${whole(count)} ${noun}${count === 1 ? '' : 's'}`;

/** Write a share in percent with three digits, 100% where it is all. */
function percent(share) {
  if (share == null) return '';
  return share >= 0.9995 && share < 1 ? '>99.9%' : `${Number((100 * share).toPrecision(3))}%`;
}

/** Write a number of bytes with three digits and a decimal unit. */
function bytes(count) {
  if (count == null) return '';
  const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB', 'EB'];
  let unit = 0;
  for (; count >= 999.5 && unit < units.length - 1; unit += 1) count /= 1000;
  const digits = unit === 0 || count >= 99.95 ? 0 : count >= 9.995 ? 1 : 2;
  return `${count.toFixed(digits)} ${units[unit]}`;
}

/** Shorten a text in its middle. */
function clip(text, room) {
  const half = Math.floor((room - 1) / 2);
  return text.length <= room ? text : `${text.slice(0, room - 1 - half)}…${text.slice(-half)}`;
}

const places = new Int32Array(parameters.dtype.length);
layers.parameter.forEach((parameter, place) => {
  if (parameter >= 0) places[parameter] = place;
});

/** The whole name of a layer or parameter, by its place in the tree. */
function nameOf(place) {
  const parts = [];
  for (let at = place; at > 0; at = layers.parent[at]) parts.push(layers.label[at]);
  return parts.reverse().join('.') || "''";
}

const nameOfParameter = (parameter) => nameOf(places[parameter]);

/** The share of the finite values of a parameter that are zero. */
function zeros(parameter) {
  if (parameters.zeros[parameter] == null) return null;
  const finite = parameters.values[parameter] - parameters.nan[parameter] - parameters.inf[parameter];
  return finite > 0 ? parameters.zeros[parameter] / finite : null;
}
