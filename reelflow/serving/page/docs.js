// The OpenAPI document for people: FastAPI's own pages would load their scripts from elsewhere.
import { withKey } from "./api.js";
import { make } from "./parts.js";

const api = await (await fetch("openapi.json")).json();
document.getElementById("version").textContent = `version ${api.info.version}`;

function resolve(schema) {
  return schema?.$ref ? api.components.schemas[schema.$ref.split("/").pop()] : schema ?? {};
}

function kind(schema) {
  const one = resolve(schema);
  if (one.anyOf) return one.anyOf.map(kind).join(" or ");
  if (one.type === "array") return `list of ${kind(one.items)}`;
  if (one.additionalProperties?.type) return `object of ${kind(one.additionalProperties)}`;
  if (one.enum) return one.enum.map((value) => JSON.stringify(value)).join(" or ");
  return one.title && one.properties ? one.title : one.type ?? "anything";
}

function bounds(schema) {
  const one = resolve(schema);
  const names = { minimum: "≥", maximum: "≤", maxLength: "length ≤", maxItems: "items ≤" };
  const parts = Object.entries(names).filter(([key]) => key in one).map(([key, sign]) => `${sign} ${one[key]}`);
  if (one.default !== undefined && one.default !== null) parts.push(`default ${JSON.stringify(one.default)}`);
  return parts.join(", ");
}

// `names` stand in backquotes, as in Markdown.
function prose(text) {
  return (text ?? "").split("`").map((part, i) => i % 2 ? make("code", {}, part) : part);
}

// Of Markdown, what the document's description has: headings, lists and paragraphs.
function block(text) {
  if (text.startsWith("## ")) return make("h2", {}, text.slice(3));
  if (text.startsWith("- ")) return make("ul", {}, ...text.slice(2).split("\n- ").map((item) => make("li", {}, ...prose(item))));
  return make("p", {}, ...prose(text));
}

function row(name, required, schema, text) {
  const what = [kind(schema), bounds(schema), required ? "required" : ""].filter(Boolean).join(", ");
  return make("tr", {}, make("td", {}, make("code", {}, name)), make("td", {}, what), make("td", {}, ...prose(text)));
}

function fields(schema) {
  const one = resolve(schema);
  const required = new Set(one.required ?? []);
  return Object.entries(one.properties ?? {}).map(([name, part]) => row(name, required.has(name), part, part.description));
}

function section(heading, rows) {
  return rows.length ? make("div", {}, make("h3", {}, heading), make("table", {}, make("tbody", {}, ...rows))) : null;
}

function operation(path, method, one) {
  const body = one.requestBody?.content["application/json"];
  const answer = one.responses["200"]?.content?.["application/json"]?.schema;
  const parameters = (one.parameters ?? []).map((p) => row(p.name, p.required, p.schema, p.description ?? p.schema.description));
  const details = make("details", { class: "operation" },
    make("summary", {}, make("span", { class: "method" }, method.toUpperCase()), make("code", {}, path), make("span", { class: "summary" }, one.summary)),
    make("div", {}, make("p", {}, ...prose(one.description)),
      one["x-scope"] ? make("p", {}, "A key needs the scope ", make("code", {}, one["x-scope"]), ".") : null,
      section("Parameters", parameters), section("Body", fields(body?.schema)),
      body?.example ? make("pre", {}, JSON.stringify(body.example, null, 2)) : null,
      section("Answer", fields(answer))));
  if (method === "get" && !path.includes("{") && !(one.parameters ?? []).some((p) => p.required)) {
    const shown = make("pre", { hidden: true });
    const attempt = async () => {
      shown.textContent = await (await withKey(path.slice(1))).text();
      shown.hidden = false;
    };
    details.lastChild.append(make("div", {}, make("button", { type: "button", onclick: attempt }, "Try it")), shown);
  }
  return details;
}

document.getElementById("about").append(...api.info.description.split("\n\n").map(block));
const groups = new Map();
for (const [path, methods] of Object.entries(api.paths)) {
  for (const [method, one] of Object.entries(methods)) {
    const tag = one.tags?.[0] ?? "Other";
    groups.set(tag, [...(groups.get(tag) ?? []), operation(path, method, one)]);
  }
}
for (const [tag, operations] of groups) document.getElementById("operations").append(make("h2", {}, tag), ...operations);
