"use strict";
// Texts come from whoever is watched: they are only ever set as text, never as HTML.
const names = ["Emergency", "Alert", "Critical", "Error", "Warning", "Notice", "Informational", "Debug"];
const at = id => document.getElementById(id);
const filters = ["priority", "rule", "container"];
const body = at("alerts");
const most = 500;
let newest = 0;
// Of two questions under way at once, only the later one's answer is shown.
let lists = 0;
let details = 0;
// Alerts that came since the list was last asked for: its answer may not have them yet.
let came = [];

function make(tag, text, kind) {
  const node = document.createElement(tag);
  if (text !== undefined) node.textContent = text;
  if (kind) node.className = kind;
  return node;
}

function drawn(tag, attributes) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  return node;
}

async function get(path) {
  const answer = await fetch(path);
  if (answer.status === 401) location.reload();
  if (!answer.ok) throw new Error(await answer.text());
  return answer.json();
}

// Alerts: the list, what it leaves out, and one of them in full.

function wanted(alert) {
  const [priority, rule, container] = filters.map(id => at(id).value);
  return (priority === "" || alert.priority <= Number(priority)) && (rule === "" || alert.rule === rule)
    && (container === "" || (alert.container || "host") === container);
}

function row(alert) {
  const line = make("tr");
  line.dataset.id = alert.id;
  line.tabIndex = 0;
  const moment = new Date(alert.time);
  const today = moment.toDateString() === new Date().toDateString();
  const day = String(moment.getMonth() + 1).padStart(2, "0") + "-" + String(moment.getDate()).padStart(2, "0") + " ";
  const time = make("td", (today ? "" : day) + moment.toLocaleTimeString("en-GB"));
  time.title = moment.toISOString();
  const text = make("td", alert.text);
  text.title = alert.text;
  line.append(time, make("td", names[alert.priority], "p" + alert.priority), make("td", alert.rule),
    make("td", alert.container || "host"), text);
  line.addEventListener("click", () => show(alert.id).catch(told));
  line.addEventListener("keydown", event => { if (event.key === "Enter") show(alert.id).catch(told); });
  return line;
}

// A line that was there already stays the same element, so that a click on it meets it whatever comes meanwhile.
async function load(before) {
  const turn = ++lists;
  const query = new URLSearchParams();
  for (const id of filters) if (at(id).value !== "") query.set(id, at(id).value);
  if (before) query.set("before", before);
  else came = [];
  const alerts = await get("/alerts?" + query);
  if (turn !== lists) return;
  const there = new Map(Array.from(body.rows, line => [line.dataset.id, line]));
  const lines = list => list.map(alert => there.get(String(alert.id)) || row(alert));
  if (before) body.append(...lines(alerts));
  else body.replaceChildren(...lines(came.filter(alert => wanted(alert) && !alerts.some(other => other.id === alert.id))), ...lines(alerts));
  if (alerts.length) newest = Math.max(newest, alerts[0].id);
  at("older").hidden = alerts.length < 100;
  at("none").hidden = body.rows.length > 0;
}

function pairs(entries) {
  const list = make("dl");
  for (const [key, value] of entries) {
    const text = value === null ? "<NA>" : typeof value === "object" ? JSON.stringify(value) : String(value);
    list.append(make("dt", key), make("dd", text));
  }
  return list;
}

// The oldest ancestor first, each process inside its parent.
function tree(processes) {
  const top = make("ul", undefined, "tree");
  let inside = top;
  for (const one of processes.slice().reverse()) {
    const item = make("li");
    const uid = one.uid === null ? "" : ", user " + one.uid;
    item.append(make("b", one.name), " " + one.pid + uid);
    if (one.command || one.path) item.append(make("small", one.command || one.path));
    const below = make("ul");
    item.append(below);
    inside.append(item);
    inside = below;
  }
  inside.remove();
  return top;
}

async function show(id) {
  const turn = ++details;
  const alert = await get("/alert?id=" + id);
  if (turn !== details) return;
  for (const other of body.querySelectorAll(".chosen")) other.classList.remove("chosen");
  const line = body.querySelector("tr[data-id='" + Number(id) + "']");
  if (line) line.classList.add("chosen");
  const close = make("button", "Close");
  close.id = "close";
  const panel = at("detail");
  close.addEventListener("click", () => { panel.hidden = true; });
  const event = alert.event;
  panel.replaceChildren(close, make("h2", alert.rule), make("p", alert.text), make("h3", "Event"), pairs([
    ["type", event.name], ["number", event.number], ["time", new Date(alert.time).toISOString()],
    ["thread", event.thread], ["parameters", event.arguments], ["source", alert.source],
    ["priority", names[alert.priority]], ["container", alert.container || "host"], ["tags", alert.tags.join(", ")],
    ...(alert.incident ? [["alert id", alert.alert_id], ["incident", alert.incident]] : []),
  ]), make("h3", "Processes"), tree(alert.processes), make("h3", "Fields"), pairs(Object.entries(alert.fields)));
  panel.hidden = false;
}

// Plots: a line of numbers, the last and the highest of them written beside it.

function plot(id, values, from, to, unit) {
  const figure = at(id + "-plot");
  const top = Math.max(1, ...values);
  const step = 300 / Math.max(1, values.length - 1);
  const points = values.map((value, n) => (n * step).toFixed(1) + "," + (58 - value / top * 54).toFixed(1));
  const picture = drawn("svg", { viewBox: "0 0 300 60", preserveAspectRatio: "none" });
  if (values.length) picture.append(drawn("path", { d: "M0,60 L" + points.join(" L") + " L300,60 Z" }));
  const caption = figure.firstElementChild;
  const last = values.length ? values[values.length - 1] : 0;
  caption.replaceChildren(caption.firstChild, make("b", amount(last) + unit));
  const axis = make("div", undefined, "axis");
  axis.append(make("span", from), make("span", "at most " + amount(values.length ? Math.max(...values) : 0) + unit), make("span", to));
  figure.replaceChildren(caption, picture, axis);
}

function amount(number) {
  if (number >= 1e6) return (number / 1e6).toFixed(1) + "M";
  if (number >= 1e4) return (number / 1e3).toFixed(1) + "k";
  return Number.isInteger(number) ? String(number) : number.toFixed(2);
}

function duration(nanos) {
  if (nanos >= 1e9) return (nanos / 1e9).toFixed(1) + " s";
  if (nanos >= 1e6) return (nanos / 1e6).toFixed(1) + " ms";
  if (nanos >= 1e3) return (nanos / 1e3).toFixed(1) + " µs";
  return Math.round(nanos) + " ns";
}

function costs(rules) {
  const all = rules.reduce((sum, rule) => sum + rule.nanos, 0) || 1;
  at("costs").querySelector("tbody").replaceChildren(...rules.map(rule => {
    const share = rule.nanos / all;
    const bar = drawn("svg", { viewBox: "0 0 100 10", preserveAspectRatio: "none" });
    bar.append(drawn("rect", { width: (share * 100).toFixed(1), height: 10 }));
    const cell = make("td");
    cell.append(bar);
    cell.title = (share * 100).toFixed(1) + " %";
    const name = make("td", rule.rule);
    name.title = rule.rule;
    const line = make("tr");
    line.append(name, cell, make("td", duration(rule.nanos)), make("td", duration(rule.nanos / Math.max(1, rule.asked))), make("td", amount(rule.fired)));
    return line;
  }));
}

function choices(id, pairs) {
  const select = at(id);
  const chosen = select.value;
  const all = make("option", "all");
  all.value = "";
  select.replaceChildren(all, ...pairs.map(([name, count]) => {
    const option = make("option", name + " (" + count + ")");
    option.value = name;
    return option;
  }));
  select.value = chosen;
  if (select.selectedIndex < 0) select.value = "";
}

async function numbers() {
  const { counts, seconds, costs: rules, missed, fault } = await get("/numbers");
  plot("alerts", counts.minutes, "1 h ago", "now", "");
  const ago = seconds.length + " s ago";
  plot("events", seconds.map(second => second.events), ago, "now", "");
  plot("lost", seconds.map(second => second.lost), ago, "now", "");
  plot("nanos", seconds.map(second => second.nanos / 1e6), ago, "now", " ms/s");
  costs(rules);
  choices("rule", counts.rules);
  choices("container", counts.containers.map(([name, count]) => [name || "host", count]));
  const trouble = at("trouble");
  trouble.hidden = !missed && !fault;
  trouble.textContent = (missed ? missed + " alerts could not be kept for this page. " : "") + (fault || "");
}

function state(text, kind) {
  at("state").textContent = text;
  at("state").className = kind;
}

function follow() {
  const stream = new EventSource("/stream?after=" + newest);
  let lost = false;
  stream.onopen = () => {
    // It may be another service by now, with other numbers.
    if (lost) load().catch(told);
    lost = false;
    state("live", "live");
  };
  stream.onerror = () => {
    lost = true;
    state("connection lost", "lost");
  };
  stream.onmessage = message => {
    const alert = JSON.parse(message.data);
    newest = alert.id;
    came = [alert, ...came.slice(0, most)];
    if (!wanted(alert) || body.querySelector("tr[data-id='" + alert.id + "']")) return;
    body.prepend(row(alert));
    at("none").hidden = true;
    while (body.rows.length > most) body.lastElementChild.remove();
  };
}

const told = error => state(error.message, "lost");
for (const id of filters) at(id).addEventListener("change", () => load().catch(told));
at("older").addEventListener("click", () => load(body.lastElementChild.dataset.id).catch(told));
load().then(numbers).catch(told).then(follow);
setInterval(() => numbers().catch(told), 2000);
