// What a careful person writes by hand for one site: the same decisions and the same fields as Rimward, from memory.
const kept = new Map();

async function load(env, path) {
  const response = await env.ASSETS.fetch("http://assets" + path);
  if (response.status !== 200) return undefined;
  const bytes = new Uint8Array(await response.arrayBuffer());
  kept.set(path, bytes);
  return bytes;
}

let manifest;

async function manifestOf(env) {
  const read = async (path) => (await env.ASSETS.fetch("http://assets/_rimward/" + path)).json();
  const { current } = await read("releases.json");
  const { assets } = await read(`releases/${current}/manifest.json`);
  const files = new Map();
  for (const { path, type, size, sha256, encodings } of Object.values(assets)) {
    const forms = new Map();
    const add = (coding, extension, form) =>
      forms.set(coding, { path: "/" + path + extension, head: head(type, form, coding) });
    add("identity", "", { size, sha256 });
    if (encodings.br) add("br", ".br", encodings.br);
    if (encodings.gzip) add("gzip", ".gz", encodings.gzip);
    files.set("/" + path, forms);
  }
  return files;
}

function head(type, form, coding) {
  const fields = FIELDS(type, form);
  if (coding !== "identity") fields["content-encoding"] = coding;
  return fields;
}

const FIELDS = (type, { size, sha256 }) => ({
  "content-type": type,
  "content-length": String(size),
  etag: `"${sha256.slice(0, 32)}"`,
  vary: "accept-encoding",
  "accept-ranges": "bytes",
  "cache-control": "public, max-age=31536000, immutable",
  "cloudflare-cdn-cache-control": "no-store",
  "cache-status": "rimward; hit; detail=release",
  "x-content-type-options": "nosniff",
});

function choose(accepted, forms) {
  if (accepted === null) return forms.get("identity");
  const weights = new Map();
  for (const item of accepted.split(",")) {
    const [name, ...parameters] = item.split(";");
    const q = parameters.map((p) => p.trim()).find((p) => p.startsWith("q="));
    weights.set(name.trim().toLowerCase(), q === undefined ? 1 : Number(q.slice(2)));
  }
  let best;
  let bestWeight = 0;
  for (const coding of ["br", "gzip", "identity"]) {
    if (!forms.has(coding)) continue;
    const weight = weights.get(coding) ?? weights.get("*") ?? (coding === "identity" ? 0.001 : 0);
    if (weight > bestWeight) [best, bestWeight] = [coding, weight];
  }
  return forms.get(best ?? "identity");
}

function matches(condition, etag) {
  return condition !== null && (condition === "*" || condition.split(",").some((tag) => tag.trim().replace("W/", "") === etag));
}

export default {
  async fetch(request, env) {
    manifest ??= await manifestOf(env);
    const { method, url, headers } = request;
    if (method !== "GET" && method !== "HEAD") {
      return new Response("method not allowed", { status: 405, headers: { allow: "GET, HEAD", "cache-control": "no-store" } });
    }
    const path = url.slice(url.indexOf("/", 8)).split("?")[0];
    const forms = manifest.get(path);
    if (forms === undefined) return new Response("not found", { status: 404, headers: { "cache-control": "no-store" } });
    const form = choose(request.cf?.clientAcceptEncoding ?? headers.get("accept-encoding"), forms);
    const fields = {
      ...form.head,
      "x-request-id": headers.get("cf-ray") ?? crypto.randomUUID(),
      "server-timing": "edge;dur=0",
    };
    if (matches(headers.get("if-none-match"), form.head.etag)) {
      for (const name of ["content-type", "content-length", "content-encoding", "accept-ranges"]) delete fields[name];
      return new Response(null, { status: 304, headers: fields });
    }
    if (headers.has("range")) throw new Error("left out of this comparison");
    const body = kept.get(form.path) ?? (await load(env, form.path));
    return new Response(method === "HEAD" ? null : body, { headers: fields, encodeBody: "manual" });
  },
};
