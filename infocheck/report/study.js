// Tables of a study: all rows stand in the document
$$('button.table').forEach(b => b.onclick = () => {
  const rows = data().tables[b.dataset.table], head = Object.keys(rows[0] || {});
  saveTable(b.dataset.file, head, rows.map(r => head.map(k => r[k])));
});
