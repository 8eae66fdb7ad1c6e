const $ = (s, r = document) => r.querySelector(s), $$ = (s, r = document) => [...r.querySelectorAll(s)];
const root = document.documentElement;
root.classList.add('js');

// Theme, print, files
const dark = () => root.dataset.theme ? root.dataset.theme === 'dark' : matchMedia('(prefers-color-scheme:dark)').matches;
const themeButton = $('#theme');
const paint = () => { themeButton.textContent = dark() ? 'Light' : 'Dark'; themeButton.setAttribute('aria-pressed', dark()); };
themeButton.onclick = () => { root.dataset.theme = dark() ? 'light' : 'dark'; paint(); };
paint();
$('#print').onclick = () => print();
addEventListener('beforeprint', () => $$('details').forEach(d => d.open = true));
const save = (name, type, text) => {
  const a = document.createElement('a');
  a.href = URL.createObjectURL(new Blob([text], { type }));
  a.download = name;
  a.click();
  setTimeout(() => URL.revokeObjectURL(a.href), 1e3);
};
$('#json').onclick = e => save(e.target.dataset.file, 'application/json', $('#data').textContent);
let parsed;
const data = () => parsed ??= JSON.parse($('#data').textContent);

// CSV: a text that a spreadsheet would run as a formula gets a quote in front
const csv = v => v === null || v === undefined ? '' : typeof v !== 'string' ? String(v)
  : '"' + (/^[=+\-@\t\r]/.test(v) ? "'" : '') + v.replace(/"/g, '""') + '"';
const saveTable = (name, head, rows) => save(name, 'text/csv', [head, ...rows].map(r => r.map(csv).join(',')).join('\r\n') + '\r\n');
$$('button.csv').forEach(b => b.onclick = () => {
  const rows = data().checks[b.dataset.check].tables[b.dataset.table], head = Object.keys(rows[0] || {});
  saveTable(b.dataset.file, head, rows.map(r => head.map(k => r[k])));
});

// Copy
$$('.copy').forEach(b => b.onclick = async () => {
  const text = $('#' + b.dataset.for), said = $('#' + b.dataset.say), box = text.closest('details');
  if (box) box.open = true;
  try { await navigator.clipboard.writeText(text.textContent); said.textContent = 'Copied'; }
  catch { getSelection().selectAllChildren(text); said.textContent = 'Selected: press Ctrl+C'; }
});

// A link into a folded part opens it
const jump = () => {
  const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (target && target.tagName === 'DETAILS') target.open = true;
};
addEventListener('hashchange', jump);
jump();

// Regulators: all of them, drawn from the document; the first rows are already here
const table = $('#gt');
if (table) {
  const spec = JSON.parse($('#rows').textContent), body = table.tBodies[0];
  const finite = x => typeof x === 'number';
  const number = (x, c, mark = true) => {
    if (!finite(x)) return '–';
    const shown = c.share ? x * 100 : x, tiny = shown !== 0 && Math.abs(shown) < 0.5 * 10 ** -c.places;
    const text = tiny && Math.abs(shown) >= 1e-4 ? shown.toPrecision(1)
      : tiny ? shown.toExponential(1).replace(/e([+-])(\d)$/, 'e$10$2')
      : shown.toLocaleString('en-US', { minimumFractionDigits: c.places, maximumFractionDigits: c.places });
    return text.replace(/-/g, '−') + (c.share && mark ? '%' : '');
  };
  const words = x => x === null || x === undefined ? '–' : typeof x === 'boolean' ? (x ? 'yes' : 'no') : Array.isArray(x) ? x.join(', ') : String(x);
  const cell = (r, c) => {
    const x = r && r[c.key];
    if (!c.numeric || typeof x === 'string') return words(x);
    const text = number(x, c), low = r && c.low && r[c.low], high = r && c.high && r[c.high];
    return text === '–' || !finite(low) || !finite(high) ? text
      : text + ' (' + number(low, c, false) + (low < 0 ? ' to ' : '–') + number(high, c) + ')';
  };
  const found = {};
  for (const c of spec.columns) found[c.check] ??= new Map(data().checks[c.check].tables[spec.table].map(r => [String(r[spec.key]), r]));
  const all = spec.rows.map(([name, stage, verdict]) => {
    const [word, css] = spec.verdicts[verdict] || spec.verdicts.not_assessed;
    const limit = stage ? spec.stages[stage] : 'No stage', of = spec.columns.map(c => found[c.check].get(name));
    const values = spec.columns.map((c, i) => of[i] ? of[i][c.key] : null);
    const cells = spec.columns.map((c, i) => cell(of[i], c));
    return { name, word, css, limit, of, cells, keys: [name, ...values, limit, word], text: [name, ...cells, limit, word].join('\n').toLowerCase() };
  });
  const add = (row, tag, text, attributes = {}) => {
    const e = document.createElement(tag);
    e.textContent = text;
    for (const k in attributes) e.setAttribute(k, attributes[k]);
    row.append(e);
    return e;
  };
  const svg = (name, attributes) => {
    const e = document.createElementNS('http://www.w3.org/2000/svg', name);
    for (const k in attributes) e.setAttribute(k, attributes[k]);
    return e;
  };
  const draw = r => {
    const row = document.createElement('tr');
    add(row, 'th', r.name, { scope: 'row' });
    spec.columns.forEach((c, i) => add(row, 'td', r.cells[i], c.numeric ? { class: 'r' } : {}));
    add(row, 'td', r.limit);
    const chip = add(add(row, 'td', '', { class: 's' }), 'span', '', { class: 'chip ' + r.css });
    const shape = svg('svg', { class: 'i', 'aria-hidden': 'true' });
    shape.append(svg('use', { href: '#s-' + r.css }));
    chip.append(shape, r.word);
    return row;
  };
  let rows = all;
  const show = () => {
    const part = rows.slice(0, spec.most);
    body.replaceChildren(...part.map(draw));
    tell(part.length);
  };
  const tell = n => {
    const of = rows.length === all.length ? '' : ', ' + rows.length.toLocaleString('en-US') + ' found';
    $('#count').textContent = n.toLocaleString('en-US') + ' of ' + all.length.toLocaleString('en-US') + ' shown' + of;
  };
  let order = null;
  const missing = x => x === null || x === undefined;
  const compare = (a, b) => finite(a) && finite(b) ? a - b : String(a).localeCompare(String(b), 'en', { numeric: true });
  const arrange = () => {
    const q = $('#q').value.trim().toLowerCase();
    rows = all.filter(r => r.text.includes(q));
    if (order) rows.sort((x, y) => {
      const a = x.keys[order.column], b = y.keys[order.column];
      return missing(a) || missing(b) ? missing(a) - missing(b) : compare(a, b) * order.sign;
    });
    show();
  };
  $$('thead button', table).forEach((b, i) => b.onclick = () => {
    const th = b.parentNode, descending = th.getAttribute('aria-sort') !== 'descending';
    $$('th[aria-sort]', table).forEach(h => h.setAttribute('aria-sort', 'none'));
    th.setAttribute('aria-sort', descending ? 'descending' : 'ascending');
    order = { column: i, sign: descending ? -1 : 1 };
    arrange();
  });
  $('#q').oninput = arrange;
  $('#csv').onclick = e => {
    const head = [spec.key], pick = [];
    spec.columns.forEach((c, i) => [[c.key, c.csv], [c.low, c.csv + '_low'], [c.high, c.csv + '_high']].forEach(([k, label]) => {
      if (k) { head.push(label); pick.push([i, k]); }
    }));
    saveTable(e.target.dataset.file, [...head, 'limited_by', 'verdict'],
      rows.map(r => [r.name, ...pick.map(([i, k]) => r.of[i] ? r.of[i][k] : null), r.limit, r.word]));
  };
  tell(body.rows.length);
}
