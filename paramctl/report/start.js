fillHead();
fillTies();
fillFindings();
fillComparison();
fillInit();
fillText('metadata');
fillText('spec');
fillNavigation();
drawHead();
foldAtFirst();
find();
tellOf(-1);
if (page.without_bins) {
  byId('table-note').textContent = `All bins are on the page for the largest parameters; ${plural(page.without_bins, 'smaller one')} have small histograms only.`;
}

table.addEventListener('scroll', () => drawRows(), { passive: true });
table.addEventListener('keydown', go);
new ResizeObserver(() => drawRows()).observe(table);
byId('search').addEventListener('input', find);
byId('search').addEventListener('keydown', (event) => {
  if (event.key === 'Escape') {
    byId('search').value = '';
    find();
  } else if (event.key === 'ArrowDown' && state.shown.length) {
    event.preventDefault();
    table.focus();
    activate(state.shown[0]);
  }
});
byId('unfold').addEventListener('click', () => {
  setFolds(() => false);
  drawTable();
});
byId('fold').addEventListener('click', () => {
  setFolds(() => true);
  drawTable();
});
document.addEventListener('keydown', (event) => {
  if (event.key !== '/' || event.ctrlKey || event.metaKey || event.altKey || event.target.matches('input')) return;
  event.preventDefault();
  byId('search').focus();
});
window.addEventListener('beforeprint', () => setPrinted(true));
window.addEventListener('afterprint', () => setPrinted(false));

function drawPictures() {
  drawTreemap();
  drawTies();
  if (state.active >= 0) tellOf(state.active);
}

matchMedia('(prefers-color-scheme: dark)').addEventListener('change', drawPictures);
document.addEventListener('DOMContentLoaded', () => { // plotly is behind this script
  drawPictures();
  byId('treemap').on?.('plotly_treemapclick', clickBox);
  byId('tie-graph').on?.('plotly_click', (event) => choose(places[event.points[0].customdata]));
  document.documentElement.dataset.drawn = 'true';
});
