"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const root = document.documentElement;
  const all = (selector) => Array.from(document.querySelectorAll(selector));
  const byId = (id) => document.getElementById(id);
  const labels = data.labels;
  const groupSelect = byId("group");
  const slider = byId("k");
  const state = { group: 0, rule: root.dataset.rule, k: -1 };

  // Untrusted text enters the page here only, and only as text.
  const make = (tag, className, text) => {
    const node = document.createElement(tag);
    if (className) node.className = className;
    if (text !== undefined) node.textContent = text;
    return node;
  };

  function show() {
    for (const node of all("[data-group]")) {
      const hide = Number(node.dataset.group) !== state.group ||
        (node.dataset.rule && node.dataset.rule !== state.rule);
      node.hidden = Boolean(hide);
    }
    for (const node of all("[data-rule]:not([data-group])")) {
      if (node !== root) node.hidden = node.dataset.rule !== state.rule;
    }
    const task = Number(groupSelect.selectedOptions[0].dataset.task);
    for (const point of all(".taxonomy .pt")) {
      point.classList.toggle("dim", task >= 0 && Number(point.dataset.t) !== task);
    }
    showK();
  }

  function showK() {
    const group = data.groups[state.group];
    if (!group.ks.length || !slider) return;
    slider.max = String(group.ks.length - 1);
    const at = state.k < 0 ? group.ks.length - 1 : Math.min(state.k, group.ks.length - 1);
    slider.value = String(at);
    const number = (v) => (v === null ? "–" : v.toFixed(3));
    const k = group.ks[at];
    const count = (v) => v.toFixed(1).replace(/\.0$/, "");
    const expected = group.regions[at].map((v, i) => `${labels[i].word} ${count(v)}`).join(", ");
    slider.setAttribute("aria-valuetext", `k = ${k}`);
    byId("k-out").textContent =
      `With k = ${k.toLocaleString("en")} samples a problem: pass@k ${number(group.base[at])} base, ` +
      `${number(group.rl[at])} RL. Expected ${expected}.`;
    for (const line of all(".kline")) {
      line.setAttribute("x1", group.x[at]);
      line.setAttribute("x2", group.x[at]);
    }
  }

  groupSelect.addEventListener("change", () => {
    state.group = Number(groupSelect.value);
    page = 0;
    show();
    showProblems();
  });
  for (const radio of all("input[name=rule]")) {
    radio.addEventListener("change", () => {
      state.rule = radio.value;
      page = 0;
      show();
      showProblems();
    });
  }
  if (slider) slider.addEventListener("input", () => { state.k = Number(slider.value); showK(); });

  // -- the table of problems: [id, task, seen, epsilon, bc, bn, rc, rn, kept, lost, found, prompt,
  //    answers, wrong, how sure]
  const PAGE = 25;
  const body = byId("problem-rows");
  const tasks = Array.from(byId("group").options).filter((o) => Number(o.dataset.task) >= 0)
    .sort((a, b) => Number(a.dataset.task) - Number(b.dataset.task)).map((o) => o.textContent.trim());
  const share = (c, n) => (n ? c / n : NaN);
  const label = (row) => (state.rule === "seen" ? row[2] : row[3]);
  const KEYS = {
    id: (r) => r[0], task: (r) => tasks[r[1]] || "", label: (r) => label(r),
    base: (r) => share(r[4], r[5]), rl: (r) => share(r[6], r[7]),
    shift: (r) => share(r[6], r[7]) - share(r[4], r[5]),
    kept: (r) => r[8], lost: (r) => r[9], found: (r) => r[10],
  };
  let sort = null, descending = false, page = 0;

  function chosen() {
    const task = Number(groupSelect.selectedOptions[0].dataset.task);
    const members = groupSelect.selectedOptions[0].dataset.members;
    const inside = members ? new Set(members.split(",").map(Number)) : null;
    const region = byId("region").value;
    const words = byId("find").value.trim().toLowerCase();
    const rows = data.problems.filter((r) =>
      (task < 0 || r[1] === task) && (!inside || inside.has(r[1])) &&
      (region === "" || label(r) === Number(region)) &&
      (!words || r[0].toLowerCase().includes(words) || r[11].toLowerCase().includes(words) ||
        r[12].some((a) => a[1].toLowerCase().includes(words))));
    if (!sort) return rows;
    const key = KEYS[sort], sign = descending ? -1 : 1;
    const rank = (v) => (Number.isNaN(v) ? -Infinity : v);
    return rows.sort((a, b) => {
      const x = rank(key(a)), y = rank(key(b));
      return sign * (typeof x === "string" ? x.localeCompare(y, "en", { numeric: true }) : x - y);
    });
  }

  function showProblems() {
    const rows = chosen();
    const pages = Math.max(1, Math.ceil(rows.length / PAGE));
    page = Math.min(page, pages - 1);
    body.replaceChildren(...rows.slice(page * PAGE, (page + 1) * PAGE).map(problemRow));
    byId("shown").textContent = `${rows.length.toLocaleString("en")} of ` +
      `${data.problems.length.toLocaleString("en")} problems, page ${page + 1} of ${pages}`;
    byId("previous").disabled = page === 0;
    byId("next").disabled = page >= pages - 1;
  }

  function cell(text, className) { return make("td", className, text); }

  function problemRow(row) {
    const line = make("tr");
    const head = make("th", "text");
    head.scope = "row";
    const open = make("button", "open");
    open.type = "button";
    open.setAttribute("aria-expanded", "false");
    open.append(make("bdi", "", row[0]));
    open.addEventListener("click", () => toggle(line, open, row));
    head.append(open);
    const tag = cell(undefined, "text");
    const { key, letter, word } = labels[label(row)];
    tag.append(make("span", `tag ${key}`, `${letter} ${word}`));
    line.append(
      head, cell(tasks[row[1]] || "", "text"), tag, cell(`${row[4]} / ${row[5]}`), cell(`${row[6]} / ${row[7]}`),
      ...[8, 9, 10].map((i) => cell(row[i] === null ? "–" : String(row[i]))));
    return line;
  }

  function toggle(line, open, row) {
    if (line.nextSibling && line.nextSibling.className === "more") {
      line.nextSibling.remove();
      open.setAttribute("aria-expanded", "false");
      return;
    }
    open.setAttribute("aria-expanded", "true");
    const more = make("tr", "more");
    const wide = make("td");
    wide.colSpan = 8;
    const inside = make("div", "inside");
    inside.append(make("pre", "", row[11]));
    const [bl, bh, rl, rh, q, beta, low, high] = row[14];
    const number = (v) => (v === null ? "–" : String(v).replace("-", "−"));
    const sure = [["base", row[4], row[5], bl, bh], ["RL", row[6], row[7], rl, rh]].map(([who, c, n, a, b]) =>
      `${who} ${n ? (c / n).toFixed(3) : "–"} (${number(a)} to ${number(b)})`);
    let text = `Chance of a right answer, 95% intervals: ${sure.join(", ")}. ` +
      `Changed? q = ${number(q)} (Fisher’s test, false discoveries controlled).`;
    if (beta !== null) text += ` Tilt β = ${number(beta)} (${number(low)} to ${number(high)}).`;
    inside.append(make("p", "small", text));
    const kinds = ["answers kept", "answers lost", "answers found"];
    for (let kind = 0; kind < 3; kind++) {
      const some = row[12].filter((a) => a[0] === kind);
      if (!some.length) continue;
      inside.append(make("b", "", `Correct ${kinds[kind]}, for example`));
      const list = make("ul");
      for (const [, text, base, rl] of some) {
        const item = make("li");
        item.append(make("bdi", "raw", text), ` (${base} of ${row[5]} base, ${rl} of ${row[7]} RL)`);
        list.append(item);
      }
      inside.append(list);
    }
    ["base", "RL"].forEach((name, i) => {
      const wrong = row[13][i];
      if (!wrong) return;
      const line = make("p", "small");
      line.append(`Commonest wrong answer of ${name}: `, make("bdi", "raw", wrong[0]), ` (${wrong[1]}×)`);
      inside.append(line);
    });
    wide.append(inside);
    more.append(wide);
    line.after(more);
  }

  for (const button of all("[data-sort]")) {
    button.addEventListener("click", () => {
      descending = sort === button.dataset.sort ? !descending : false;
      sort = button.dataset.sort;
      page = 0;
      for (const other of all("[data-sort]")) other.closest("th").removeAttribute("aria-sort");
      button.closest("th").setAttribute("aria-sort", descending ? "descending" : "ascending");
      showProblems();
    });
  }
  byId("region").addEventListener("change", () => { page = 0; showProblems(); });
  byId("find").addEventListener("input", () => { page = 0; showProblems(); });
  byId("previous").addEventListener("click", () => { page--; showProblems(); });
  byId("next").addEventListener("click", () => { page++; showProblems(); });

  root.classList.add("js");
  show();
  showProblems();
  root.dataset.ready = "1";
})();
