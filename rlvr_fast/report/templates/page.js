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
    byId("near-group").value = groupSelect.value;
    showK();
    measure();
  }

  function choose(index) {
    groupSelect.value = String(index);
    groupSelect.dispatchEvent(new Event("change"));
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
  //    [answers, others], how sure, proof]
  const PAGE = 25, ON_PAPER = 2000;
  const body = byId("problem-rows");
  const options = Array.from(groupSelect.options);
  // Of many problems and tasks the page holds some: whole = {problems, file}, tasks by number.
  const whole = data.whole || { problems: data.problems.length, file: "tables/problems.csv" };
  const tasks = data.tasks || options.filter((o) => Number(o.dataset.task) >= 0)
    .sort((a, b) => Number(a.dataset.task) - Number(b.dataset.task)).map((o) => o.textContent.trim());
  const share = (c, n) => (n ? c / n : NaN);
  const label = (row) => (state.rule === "seen" ? row[2] : row[3]);
  const KEYS = {
    id: (r) => r[0], task: (r) => tasks[r[1]] || "", label: (r) => label(r),
    base: (r) => share(r[4], r[5]), rl: (r) => share(r[6], r[7]),
    kept: (r) => r[8], lost: (r) => r[9], found: (r) => r[10],
  };
  const HEADINGS = ["task", "region", "base correct", "RL correct", "answers kept", "lost", "found"];
  const opened = new Set();
  let sort = null, descending = false, page = 0;

  // Links name a problem by its own id, which the page may show in another form.
  const idOf = (row) => {
    const own = data.problem_ids[data.problems.indexOf(row)];
    return own === undefined ? row[0] : own;
  };

  function chosen() {
    const task = Number(groupSelect.selectedOptions[0].dataset.task);
    const members = groupSelect.selectedOptions[0].dataset.members;
    const inside = members ? new Set(members.split(",").map(Number)) : null;
    const region = byId("region").value;
    const words = byId("find").value.trim().toLowerCase();
    const has = (text) => text !== null && text.toLowerCase().includes(words);
    const rows = data.problems.filter((r) =>
      (task < 0 || r[1] === task) && (!inside || inside.has(r[1])) &&
      (region === "" || label(r) === Number(region)) &&
      (!words || has(r[0]) || has(r[11]) || r[12][0].some((a) => has(a[0]))));
    if (!sort) return rows;
    const key = KEYS[sort], sign = descending ? -1 : 1;
    const rank = (v) => (v === null || Number.isNaN(v) ? -Infinity : v);
    return rows.sort((a, b) => {
      const x = rank(key(a)), y = rank(key(b));
      return sign * (typeof x === "string" ? x.localeCompare(y, "en", { numeric: true }) : x - y);
    });
  }

  function showProblems() {
    const rows = chosen();
    const pages = Math.max(1, Math.ceil(rows.length / PAGE));
    page = Math.min(page, pages - 1);
    body.replaceChildren(...rows.slice(page * PAGE, (page + 1) * PAGE).flatMap(problemRows));
    byId("shown").textContent = `${rows.length.toLocaleString("en")} of ` +
      `${data.problems.length.toLocaleString("en")} problems${data.whole ? ` on this page (${
        whole.problems.toLocaleString("en")} in all)` : ""}, page ${page + 1} of ${pages}`;
    const buttons = [byId("previous"), byId("next")];
    const focused = buttons.indexOf(document.activeElement);
    buttons[0].disabled = page === 0;
    buttons[1].disabled = page >= pages - 1;
    // A disabled button loses the focus, and with it the place of a reader without a mouse.
    if (focused >= 0 && buttons[focused].disabled && !buttons[1 - focused].disabled) buttons[1 - focused].focus();
  }

  function cell(text, className) { return make("td", className, text); }

  function problemRows(row) {
    const line = make("tr");
    const head = make("th", "text");
    head.scope = "row";
    const open = make("button", "open");
    open.type = "button";
    open.setAttribute("aria-expanded", String(opened.has(row)));
    open.append(make("bdi", "", row[0]));
    open.addEventListener("click", () => {
      if (opened.delete(row)) {
        line.nextSibling.remove();
      } else {
        opened.add(row);
        line.after(detail(row));
      }
      open.setAttribute("aria-expanded", String(opened.has(row)));
    });
    head.append(open);
    const tag = cell(undefined, "text");
    const { key, letter, word } = labels[label(row)];
    tag.append(make("span", `tag ${key}`, `${letter} ${word}`));
    const cells = [
      cell(tasks[row[1]] || "", "text"), tag, cell(`${row[4]} / ${row[5]}`), cell(`${row[6]} / ${row[7]}`),
      ...[8, 9, 10].map((i) => cell(row[i] === null ? "–" : String(row[i])))];
    cells.forEach((c, i) => { c.dataset.label = HEADINGS[i]; });
    line.append(head, ...cells);
    return opened.has(row) ? [line, detail(row)] : [line];
  }

  // -- one problem, opened
  const number = (v) => (v === null ? "–" : String(v).replace("-", "−"));
  const chance = (p) => (p < 0.001 ? "below 0.001" : number(Number(p.toPrecision(2))));
  const percent = (c, n) => (n ? `${(100 * c / n).toFixed(c && c / n < 0.1 ? 1 : 0)}%` : "–");
  const level = () => `${Number((100 * data.confidence).toPrecision(6))}%`;

  // The grounds of the label under the rule "seen once".
  function seenProof(row) {
    const [, , , , bc, bn, rc, rn] = row;
    const [one, luck, , , , , baseHigh, , , rlHigh] = row[14];
    const key = labels[row[2]].key, out = [];
    const falls = (c, model) => "If each draw of both models were equally likely to be correct, " +
      (c === 1 ? `the only correct draw would fall on ${model}` : `all ${c} correct draws would fall on ${model}`) +
      ` with probability ${chance(luck)}.`;
    if (key === "preserved") out.push("Each model has at least one correct draw.");
    if (key === "shrunk") out.push("Base has a correct draw, RL has none.");
    if (key === "expanded") out.push("RL has a correct draw, base has none.");
    if (luck !== null) out.push(key === "shrunk" ? falls(bc, "base") : falls(rc, "RL"));
    if (bn !== rn && key !== "out") {
      out.push("The label counts all draws; their numbers differ, which favours the model with more.");
    }
    if (key === "out") out.push("No draw of either model is correct.");
    if (key === "out" && data.independent) {
      out.push("This does not show that the problem is out of reach: the chance " +
        `of a correct draw may be up to ${number(baseHigh)} for base and ${number(rlHigh)} for RL ` +
        `(one-sided limits, ${level()} each).`);
    }
    if (key === "undetermined") out.push("A model has no draws on this problem.");
    if (one) {
      const without = key === "preserved" ? (bc === 1 && rc === 1 ? "lost or found" : bc === 1 ? "found" : "lost") : "neither";
      out.push(`One draw decides this label: without the only correct draw of ${
        bc === 1 && rc === 1 ? "a model" : bc === 1 && key !== "expanded" ? "base" : "RL"} it would be “${without}”.`);
    }
    return out;
  }

  // The grounds of the label under the rule "above ε".
  function epsilonProof(row) {
    const p = row[14], epsilon = number(Number(data.epsilon.toPrecision(3)));
    const said = [["Base", p.slice(4, 7), row[5]], ["RL", p.slice(7, 10), row[7]]].map(([who, [is, low, high], n]) => {
      if (!n) return `${who} has no draws.`;
      if (is === 1) return `${who} reaches the problem: the lower limit of its chance, ${number(low)}, is above ε.`;
      if (is === 0) return `${who} does not reach the problem: the upper limit of its chance, ${number(high)}, is at most ε.`;
      return `${who} is undecided: its chance lies between ${number(low)} and ${number(high)}` +
        `${low > data.epsilon ? `, but ${n} draws are too few to decide` : ", which does not exclude either side of ε"}.`;
    });
    const caution = data.independent ? [] : ["These limits count repeated draws as evidence."];
    return [`ε = ${epsilon}; one-sided limits, ${level()} each.`, ...said, ...caution];
  }

  function changeProof(row) {
    const [bl, bh, rl, rh, , beta, low, high] = row[13];
    const [, , p, adjusted] = row[14];
    const models = [["base", row[4], row[5], bl, bh], ["RL", row[6], row[7], rl, rh]].map(([who, c, n, a, b]) =>
      `${who} ${n ? number(Number((c / n).toPrecision(3))) : "–"} (${number(a)} to ${number(b)})`);
    if (!data.independent) {
      return ["Draws of this comparison repeat each other, so that no limit or test holds; see the warning on top."];
    }
    const out = [`Chance of a correct draw, with 95% intervals: ${models.join(", ")}.`];
    if (p !== null) {
      out.push(`Fisher’s exact test of equal chances: p\u00a0=\u00a0${chance(p)}, adjusted for all ` +
        `${whole.problems.toLocaleString("en")} problems and the other claims of this page (Holm): ` +
        `p\u00a0=\u00a0${chance(adjusted)}; ${adjusted <= 0.05 ? "the chance changed" : "a change is not shown"}.`);
    }
    if (beta !== null) out.push(`Tilt β = ${number(beta)} (${number(low)} to ${number(high)}).`);
    return out;
  }

  function answerTable(row) {
    const [answers, [baseOthers, baseDraws, rlOthers, rlDraws]] = row[12];
    const table = make("table", "answers"), head = make("thead"), rows = make("tbody"), top = make("tr");
    table.append(make("caption", "", "What both models answered, commonest first"), head, rows);
    ["answer", "verdict", "base", "RL"].forEach((title, i) => {
      const th = make("th", i < 2 ? "text" : "", title);
      th.scope = "col";
      top.append(th);
    });
    head.append(top);
    const counts = (b, r) => [[b, row[5]], [r, row[7]]].map(([c, n]) => {
      const td = cell(c.toLocaleString("en"));
      td.append(make("span", "ci", percent(c, n)));
      return td;
    });
    const line = (answer, verdict, b, r) => {
      const tr = make("tr", verdict), th = make("th", "text");
      th.scope = "row";
      th.append(answer);
      tr.append(th, cell(verdict, "text"), ...counts(b, r));
      rows.append(tr);
    };
    for (const [text, code, b, r] of answers) {
      const verdict = data.verdicts[code];
      const shown = text !== null ? make("bdi", "raw", text === "" ? "(empty)" : text)
        : make("span", "muted", verdict === "unparsed" ? "no answer found" : "answer not recorded");
      line(shown, verdict === "unparsed" ? "no answer" : verdict, b, r);
    }
    if (baseDraws || rlDraws) {
      line(make("span", "muted", `all others: ${baseOthers} of base, ${rlOthers} of RL`), "", baseDraws, rlDraws);
    }
    return table;
  }

  function detail(row) {
    const more = make("tr", "more");
    const wide = make("td");
    wide.colSpan = 8;
    const inside = make("div", "inside");
    inside.append(make("pre", "", row[11]));
    inside.append(make("h3", "", `Why “${labels[label(row)].letter} ${labels[label(row)].word}”`));
    const of = (n) => `of ${n.toLocaleString("en")} draw${n === 1 ? "" : "s"} correct`;
    const counted = `Base: ${row[4]} ${of(row[5])}; RL: ${row[6]} ${of(row[7])}.`;
    const grounds = state.rule === "seen" ? seenProof(row) : epsilonProof(row);
    inside.append(make("p", "proof", [counted, ...grounds].join(" ")));
    inside.append(make("p", "proof", changeProof(row).join(" ")));
    const other = state.rule === "seen" ? row[3] : row[2];
    inside.append(make("p", "small muted", `Under the rule “${state.rule === "seen" ? "above ε" : "seen once"}” the label ` +
      `is “${labels[other].letter} ${labels[other].word}”.`));
    inside.append(answerTable(row));
    const link = make("a", "small screen-only", "Link to this problem");
    link.href = `#problem=${encodeURIComponent(idOf(row))}`;
    inside.append(link);
    wide.append(inside);
    more.append(wide);
    return more;
  }

  // -- links to one problem: #problem=ID opens it, whatever was filtered before
  function follow() {
    const match = /^#problem=(.*)$/s.exec(location.hash);
    if (!match) return;
    let wanted;
    try { wanted = decodeURIComponent(match[1]); } catch { return; }
    const at = data.problems.findIndex((r) => idOf(r) === wanted);
    const row = data.problems[at >= 0 ? at : data.problems.findIndex((r) => r[0] === wanted)];
    if (!row) {
      byId("shown").textContent = data.whole
        ? `The link names a problem that this page does not show; all ${whole.problems.toLocaleString("en")} are in ${whole.file}.`
        : "The link names a problem that is not in this report.";
      return;
    }
    opened.add(row);
    if (!chosen().includes(row)) {
      byId("region").value = "";
      byId("find").value = "";
      if (!chosen().includes(row)) choose(0);
    }
    page = Math.floor(chosen().indexOf(row) / PAGE);
    showProblems();
    const button = all("#problem-rows .open").find((b) => b.textContent === row[0] && b.getAttribute("aria-expanded") === "true");
    button.focus({ preventScroll: true });
    button.scrollIntoView({ block: "center" });
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
  const again = () => { page = 0; showProblems(); };
  byId("region").addEventListener("change", again);
  byId("find").addEventListener("input", again);
  byId("previous").addEventListener("click", () => { page--; showProblems(); });
  byId("next").addEventListener("click", () => { page++; showProblems(); });
  // The filter beside the table and the one on top of the page are one.
  const near = byId("near-group");
  near.append(...options.map((o) => new Option(o.textContent.trim(), o.value)));
  near.addEventListener("change", () => choose(Number(near.value)));
  window.addEventListener("hashchange", follow);

  // -- tables: a hint where one is wider than the page; on a phone its rows are cards, whose roles
  //    have to be said again because they are laid out as blocks
  const phone = matchMedia("(max-width: 599.9px)");
  const measure = () => {
    for (const box of all(".tablebox")) {
      const scroll = box.querySelector(".scroll");
      box.querySelector(".more-columns").hidden = scroll.scrollWidth <= scroll.clientWidth + 1;
    }
  };
  const ROLES = {
    "table.data": "table", "table.data > thead, table.data > tbody": "rowgroup", "table.data > * > tr": "row",
    "table.data > thead th": "columnheader", "table.data > tbody > tr > th": "rowheader", "table.data > tbody > tr > td": "cell",
  };
  const roles = () => {
    for (const [selector, role] of Object.entries(ROLES)) {
      for (const node of all(selector)) {
        if (phone.matches) node.setAttribute("role", role); else node.removeAttribute("role");
      }
    }
  };
  new ResizeObserver(measure).observe(document.documentElement);
  phone.addEventListener("change", roles);

  // -- the contents list: open at the side, folded in the bar
  const wide = matchMedia("(min-width: 1400px)");
  const toc = document.querySelector(".toc details");
  const fold = () => { toc.open = wide.matches; };
  wide.addEventListener("change", fold);
  const links = all(".toc a");
  for (const link of links) link.addEventListener("click", fold);
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && toc.open && !wide.matches) {
      toc.open = false;
      toc.querySelector("summary").focus();
    }
  });
  const seen = new Set();
  const watcher = new IntersectionObserver((entries) => {
    for (const e of entries) { if (e.isIntersecting) seen.add(e.target.id); else seen.delete(e.target.id); }
    const first = links.find((a) => seen.has(a.hash.slice(1)));
    for (const a of links) { if (a === first) a.setAttribute("aria-current", "true"); else a.removeAttribute("aria-current"); }
  }, { rootMargin: "-80px 0px -55% 0px" });
  for (const link of links) { const target = byId(link.hash.slice(1)); if (target) watcher.observe(target); }

  // -- paper: everything unfolded, all chosen problems, and a line on what was chosen
  const folded = [];
  window.addEventListener("beforeprint", () => {
    for (const node of all("details:not([open])")) { node.open = true; folded.push(node); }
    const rows = chosen();
    body.replaceChildren(...rows.slice(0, ON_PAPER).flatMap(problemRows));
    const rule = document.querySelector("input[name=rule]:checked").closest("label").textContent.trim();
    const name = groupSelect.selectedOptions[0].textContent.trim();
    let text = `Printed for “${name}”, rule “${rule}”. `;
    if (options.length > 1) {
      text += `Headlines and charts of the other ${options.length - 1} groups and of the other rule are on the page itself; ` +
        "their numbers are in tables/. ";
    }
    if (rows.length < whole.problems || rows.length > ON_PAPER) {
      text += `Of ${whole.problems.toLocaleString("en")} problems, ${Math.min(rows.length, ON_PAPER).toLocaleString("en")} ` +
        `are printed; all are in ${whole.file}.`;
    }
    document.querySelector(".printed").textContent = text;
  });
  window.addEventListener("afterprint", () => {
    for (const node of folded.splice(0)) node.open = false;
    showProblems();
  });

  root.classList.add("js");
  show();
  showProblems();
  fold();
  roles();
  measure();
  follow();
  root.dataset.ready = "1";
})();
