// Forms out of /openapi.json, and what comes back. Whatever a server says becomes text (`textContent`), never markup.
"use strict";

const VERBS = ["get", "head", "options", "put", "post", "patch", "delete"];
const TELLING = /^(x-|retry-after$|content-type$|location$|etag$|traceparent$)/;
const LINES_MAX = 1000;
const base = new URL(".", location.href).href.replace(/\/$/, "");
let spec = {};

function el(tag, props, ...children) {
  const made = Object.assign(document.createElement(tag), props);
  made.append(...children.filter((child) => child !== null));
  return made;
}

// What a reference leads to; the schema itself where it is none.
function resolved(schema) {
  for (let hops = 0; hops < 32 && schema && schema.$ref; hops++) {
    const keys = schema.$ref.split("/").slice(1).map((key) => key.replace(/~1/g, "/").replace(/~0/g, "~"));
    schema = keys.reduce((at, key) => (at && Object.hasOwn(at, key) ? at[key] : undefined), spec);
  }
  return schema || {};
}

// A value of a schema; `undefined` where it would never end.
function example(schema, within = []) {
  const ref = schema.$ref;
  if (ref && within.includes(ref)) return undefined;
  const below = ref ? [...within, ref] : within;
  schema = resolved(schema);
  if (schema.enum) return schema.enum[0];
  for (const one of schema.anyOf || schema.oneOf || []) {
    const made = example(one, below);
    if (made !== undefined) return made;
  }
  const kind = [].concat(schema.type)[0];
  if (kind === "object") {
    const made = {};
    for (const [name, of] of Object.entries(schema.properties || {})) {
      const value = example(of, below);
      if (value !== undefined) Object.defineProperty(made, name, { value, enumerable: true });
      else if ((schema.required || []).includes(name)) return undefined;
    }
    return made;
  }
  if (kind === "array") {
    if (schema.prefixItems) return schema.prefixItems.map((one) => example(one, below) ?? null);
    const item = schema.items ? example(schema.items, below) : undefined;
    return item === undefined ? [] : [item];
  }
  if (kind === "string") return schema.minLength ? "x" : "";
  if (kind === "integer" || kind === "number") return 0;
  return kind === "boolean" ? false : null;
}

// What a schema is in a few words.
function kindOf(schema) {
  if (schema.$ref) return schema.$ref.split("/").pop();
  const several = schema.anyOf || schema.oneOf;
  if (several) return several.map(kindOf).join(" or ");
  if (schema.type === "array" && schema.items) return "list of " + kindOf(schema.items);
  return schema.format || [].concat(schema.type || "anything").join(" or ");
}

// Indents JSON without reading its numbers: they keep all of their digits.
function pretty(json) {
  let out = "", depth = 0;
  const line = () => "\n" + "  ".repeat(depth);
  for (const [token] of json.matchAll(/"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/g)) {
    if (token === "{" || token === "[") { depth++; out += token + line(); }
    else if (token === "}" || token === "]") {
      depth--;
      const open = out.trimEnd();
      out = open.endsWith(token === "}" ? "{" : "[") ? open + token : out + line() + token;
    } else if (token === ",") out += token + line();
    else out += token === ":" ? ": " : token;
  }
  return out;
}

function shown(text) {
  try { JSON.parse(text); } catch { return text; }
  return pretty(text);
}

// A parameter as a field, and what is in it: no, one, or several texts.
function field(parameter) {
  const schema = resolved(parameter.schema || {});
  const choices = schema.enum || (schema.type === "boolean" ? ["true", "false"] : null);
  let input;
  const needed = parameter.required === true;
  if (choices) input = el("select", {}, ...(needed ? [] : [""]).concat(choices).map((one) => el("option", { value: one, textContent: one })));
  else if (schema.type === "array" || schema.type === "object") input = el("textarea", { rows: 3, spellcheck: false });
  else input = el("input", { autocomplete: "off", spellcheck: false });
  const how = { array: ", one in a line", object: ", as a JSON object" }[schema.type] || "";
  const said = `${parameter.in}, ${kindOf(parameter.schema || {})}${how}${needed ? "" : ", may be left out"}`;
  const label = el("label", {}, el("code", { textContent: parameter.name }), " ", el("span", { className: "dim", textContent: said }), input);
  const pairs = () => {
    if (input.value === "" && !needed) return [];
    if (schema.type === "array") return input.value.split("\n").map((one) => [parameter.name, one]);
    if (schema.type === "object") return Object.entries(JSON.parse(input.value)).map(([name, one]) => [name, String(one)]);
    return [[parameter.name, input.value]];
  };
  return { parameter, label, pairs };
}

// The body as a field, and what is sent of it. A text of JSON goes as it is written.
function bodyField(body) {
  const [[kind, { schema = {} }]] = Object.entries(body.content);
  const words = el("span", { className: "dim", textContent: ` ${kind}, ${kindOf(schema)}${body.required ? "" : ", may be left out"}` });
  if (kind === "application/octet-stream") {
    const input = el("input", { type: "file" });
    return { kind, label: el("label", {}, "Body", words, input), value: () => input.files[0] || new Blob([]) };
  }
  const made = example(schema);
  const text = made === undefined ? "" : JSON.stringify(made, null, kind.includes("ndjson") ? 0 : 2);
  const input = el("textarea", { rows: Math.min(20, text.split("\n").length + 1), spellcheck: false, value: text });
  const value = () => {
    if (kind.includes("form-urlencoded")) {
      const pairs = Object.entries(JSON.parse(input.value)).flatMap(([name, of]) => [].concat(of).map((one) => [name, one]));
      return new URLSearchParams(pairs.filter(([, one]) => one !== null));
    }
    if (input.value.trim() === "" && !body.required) return undefined;
    if (kind.includes("ndjson")) return input.value.replace(/\n*$/, "\n");
    JSON.parse(input.value);
    return input.value;
  };
  return { kind, label: el("label", {}, "Body", words, input), value };
}

function request(verb, path, fields, body, accept) {
  const headers = new Headers(accept ? { accept } : {});
  for (const line of document.getElementById("headers").value.split("\n")) {
    const colon = line.indexOf(":");
    if (colon > 0) headers.set(line.slice(0, colon).trim(), line.slice(colon + 1).trim());
  }
  const query = new URLSearchParams();
  for (const { parameter, pairs } of fields) {
    for (const [name, value] of pairs()) {
      if (parameter.in === "query") query.append(name, value);
      else if (parameter.in === "header") headers.set(name, value);
      else if (/^\.{0,2}$/.test(value)) throw new Error(`${name}: it is empty or dots, which no path can carry`);
      else path = path.replace(`{${name}}`, () => encodeURIComponent(value));
    }
  }
  if (body) headers.set("content-type", body.kind);
  const search = query.toString();
  return [base + path + (search && "?" + search), { method: verb.toUpperCase(), headers, body: body && body.value() }];
}

// The items of a stream as they come: the data of events, or lines.
async function* items(response, isEvents) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "", data = [], name = "";
  for (;;) {
    const { value, done } = await reader.read();
    const lines = (rest + (value || "")).split(/\r?\n/);
    rest = done ? "" : lines.pop();
    for (const line of lines) {
      if (!isEvents) { if (line) yield line; continue; }
      const [, key, text] = /^([^:]*):? ?(.*)$/s.exec(line);
      if (key === "data") data.push(text);
      else if (key === "event") name = text + " ";
      else if (line === "" && data.length) { yield name + data.join("\n"); data = []; name = ""; }
    }
    if (done) return;
  }
}

async function show(response, out, count) {
  const kind = response.headers.get("content-type") || "";
  const pre = el("pre", { tabIndex: 0 });
  if (/event-stream|ndjson/.test(kind)) {
    out.append(count, pre);
    let seen = 0;
    for await (const item of items(response, kind.includes("event-stream"))) {
      count.textContent = `${++seen} items`;
      const wasAtEnd = pre.scrollTop + pre.clientHeight >= pre.scrollHeight - 8;
      pre.append(document.createTextNode(item + "\n"));
      if (pre.childNodes.length > LINES_MAX) pre.firstChild.remove();
      if (wasAtEnd) pre.scrollTop = pre.scrollHeight;
    }
  } else if (/json|^text\//.test(kind)) {
    pre.textContent = shown(await response.text());
    out.append(pre);
  } else {
    const blob = await response.blob();
    if (blob.size) out.append(el("a", { href: URL.createObjectURL(blob), download: "answer", textContent: `${blob.size} bytes: save` }));
  }
}

async function send(made, out, signal) {
  const [url, options] = made;
  const started = performance.now();
  const elapsed = () => `${(performance.now() - started).toFixed(1)} ms`;
  const status = el("strong"), time = el("span", { className: "dim" }), count = el("p", { className: "dim" });
  out.replaceChildren(el("p", { className: "dim doc", textContent: `${options.method} ${url}` }), el("p", { role: "status" }, status, " ", time));
  try {
    const response = await fetch(url, { ...options, signal });
    status.textContent = `${response.status} ${response.statusText}`;
    status.className = response.ok ? "" : "bad";
    time.textContent = elapsed();
    const telling = [...response.headers].filter(([name]) => TELLING.test(name)).map(([name, value]) => `${name}: ${value}`);
    if (telling.length) out.append(el("pre", { textContent: telling.join("\n") }));
    await show(response, out, count);
    time.textContent += `, whole after ${elapsed()}`;
  } catch (why) {
    const words = signal.aborted ? `stopped after ${elapsed()}` : `it broke off after ${elapsed()}: ${why.message}`;
    out.append(el("p", { className: signal.aborted ? "dim" : "bad", textContent: words }));
  }
}

function form(verb, path, operation) {
  const fields = (operation.parameters || []).map((one) => field(resolved(one)));
  const body = operation.requestBody ? bodyField(resolved(operation.requestBody)) : null;
  const answers = Object.entries(operation.responses || {}).map(([status, one]) => [status, resolved(one)]);
  const value = answers.find(([status, one]) => status.startsWith("2") && one.content);
  const kinds = Object.keys(value?.[1].content || {});
  const accept = kinds.length > 1 ? el("select", {}, ...kinds.map((kind) => el("option", { textContent: kind }))) : null;
  const button = el("button", { type: "submit", textContent: "Send" });
  const stop = el("button", { type: "button", className: "second", textContent: "Stop", disabled: true });
  const out = el("div", { className: "answer" });
  const list = el("ul", { className: "dim" }, ...answers.map(([status, one]) => {
    const schema = Object.values(one.content || {})[0]?.schema;
    return el("li", { textContent: `${status}: ${one.description || ""}${schema ? ` (${kindOf(schema)})` : ""}` });
  }));
  const made = el("form", {}, ...fields.map((one) => one.label), body && body.label,
    accept && el("label", {}, "Answer as", accept), button, stop, list, out);
  let running = null;
  stop.addEventListener("click", () => running?.abort());
  made.addEventListener("submit", async (event) => {
    event.preventDefault();
    running?.abort();
    const own = (running = new AbortController());
    try {
      const ready = request(verb, path, fields, body, accept ? accept.value : kinds[0]);
      stop.disabled = false;
      await send(ready, out, own.signal);
    } catch (why) {
      out.replaceChildren(el("p", { className: "bad", textContent: why.message }));
    }
    if (running === own) stop.disabled = true;
  });
  return made;
}

function entry(verb, path, operation) {
  const facts = [operation.operationId, operation["x-sinew-idempotent"] ? "may be repeated" : null,
    operation["x-sinew-timeout-ms"] ? `at most ${operation["x-sinew-timeout-ms"]} ms` : null];
  const made = el("details", { id: operation.operationId || "" }, el("summary", {},
    el("span", { className: "verb", textContent: verb.toUpperCase() }), el("span", { className: "path", textContent: path + " " }),
    el("span", { className: "said", textContent: operation.summary || "" })));
  made.dataset.words = [verb, path, operation.operationId, operation.summary, operation.description].join(" ").toLowerCase();
  made.addEventListener("toggle", () => {
    if (!made.open || made.childElementCount > 1) return;
    if (operation.description) made.append(el("p", { className: "doc", textContent: operation.description }));
    made.append(el("p", { className: "dim", textContent: facts.filter(Boolean).join(", ") }), form(verb, path, operation));
  });
  return made;
}

function find(word) {
  for (const section of document.querySelectorAll("section")) {
    const all = [...section.querySelectorAll("details")];
    for (const one of all) one.hidden = !one.dataset.words.includes(word);
    section.hidden = all.every((one) => one.hidden);
  }
}

function opened() {
  const made = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (made?.tagName === "DETAILS") { made.open = true; made.scrollIntoView(); }
}

async function start() {
  const main = document.getElementById("services");
  try {
    const response = await fetch(base + "/openapi.json");
    if (!response.ok) throw new Error(`openapi.json: ${response.status} ${response.statusText}`);
    spec = await response.json();
    document.title = document.getElementById("title").textContent = spec.info.title;
    const sections = new Map((spec.tags || []).map((tag) => [tag.name, { tag, entries: [] }]));
    for (const [path, item] of Object.entries(spec.paths || {})) {
      for (const verb of VERBS.filter((verb) => Object.hasOwn(item, verb))) {
        const name = (item[verb].tags || ["Operations"])[0];
        if (!sections.has(name)) sections.set(name, { tag: { name }, entries: [] });
        sections.get(name).entries.push(entry(verb, path, item[verb]));
      }
    }
    main.replaceChildren(...[...sections.values()].map(({ tag, entries }) => el("section", {},
      el("h2", { textContent: tag.name }), tag.description ? el("p", { className: "doc", textContent: tag.description }) : null, ...entries)));
    if (!main.childElementCount) main.append(el("p", { textContent: "No service is served here." }));
    document.getElementById("find").addEventListener("input", (event) => find(event.target.value.trim().toLowerCase()));
    addEventListener("hashchange", opened);
    opened();
  } catch (why) {
    main.replaceChildren(el("p", { className: "bad", role: "alert", textContent: why.message }));
  }
  main.removeAttribute("aria-busy");
}

start();
