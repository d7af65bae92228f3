// Write, as JSON, the schemas of Discord's API and which of them the body of each request obeys.
//
// The package `discord-api-spec` is made daily of Discord's own OpenAPI document: its schemas as
// zod, its operations as TypeScript.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import * as z from "zod";
import * as published from "discord-api-spec/zod";

const registry = z.registry();
for (const [name, schema] of Object.entries(published))
  if (name.endsWith("Schema")) registry.add(schema, { id: name.slice(0, -"Schema".length) });
const { schemas } = z.toJSONSchema(registry, { io: "input", unrepresentable: "any", uri: (id) => id });

const types = new URL("discord-api-spec.ts", import.meta.resolve("discord-api-spec/zod"));
const bodies = {};
let path, method, body;
for (const line of readFileSync(fileURLToPath(types), "utf8").split("\n")) {
  const place = /^  "(\/.*)": \{$/.exec(line);
  const verb = /^    (\w+)\??: \{$/.exec(line);
  const start = /^      requestBody\??:(.*)$/.exec(line);
  if (place) path = place[1];
  else if (verb) method = verb[1].toUpperCase();
  else if (start) body = start[1];
  else if (body !== undefined) body += line;
  if (body !== undefined && /;$/.test(line) && !/[{]/.test(body)) {
    bodies[`${method} ${path}`] = body.replace(";", "").trim();
    body = undefined;
  } else if (body !== undefined && /^      \};$/.test(line)) {
    bodies[`${method} ${path}`] = "any"; // a body without a name of its own
    body = undefined;
  }
}
console.log(JSON.stringify({ schemas, bodies }));
