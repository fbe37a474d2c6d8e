// What is kept beyond the isolate: the platform's cache of this data centre, and its key-value store for all locations.
// Each knows a key, a text of ours (the envelope) and a body. Nothing else of theirs is relied on.

// Only this Worker sees it: the platform keeps caches of zones apart, and the name cannot be resolved.
const CACHE_URL = "http://rimward.invalid/";

const ENVELOPE = "x-rimward-envelope";

// What the data centre keeps under `key`: { envelope, body, length }, its body as a stream.
async function cached(key) {
  const response = await caches.default.match(CACHE_URL + key);
  if (response === undefined) return undefined;
  const { headers, body } = response;
  const envelope = headers.get(ENVELOPE);
  const length = Number(headers.get("content-length") ?? NaN);
  if (envelope === null || Number.isNaN(length)) {
    await body?.cancel();
    return undefined;
  }
  return { envelope, body: body ?? new Uint8Array(0), length };
}

// The platform decides by the response's own fields how long it keeps it: a plain 200 with a lifetime is all it gets.
function cache(key, envelope, body, seconds) {
  const headers = { [ENVELOPE]: envelope, "cache-control": `max-age=${seconds}`, "content-type": "application/octet-stream" };
  return caches.default.put(CACHE_URL + key, new Response(body, { headers }));
}

function uncache(key) {
  return caches.default.delete(CACHE_URL + key);
}

// In the key-value store envelope and body lie in one value, the envelope's length before them.
async function persisted(call, key) {
  const value = await call.env.KV.get(key, "arrayBuffer");
  if (value === null || value.byteLength < 4) return undefined;
  const length = new DataView(value).getUint32(0);
  if (4 + length > value.byteLength) return undefined;
  const envelope = new TextDecoder().decode(new Uint8Array(value, 4, length));
  const body = new Uint8Array(value, 4 + length);
  return { envelope, body, length: body.length };
}

function persist(call, key, envelope, body, seconds) {
  const text = encoder.encode(envelope);
  const value = new Uint8Array(4 + text.length + body.length);
  new DataView(value.buffer).setUint32(0, text.length);
  value.set(text, 4);
  value.set(body, 4 + text.length);
  return call.env.KV.put(key, value, { expirationTtl: Math.max(60, seconds) });
}

// The core's names for the two.
const DATA_CENTRE = 0;

function hasStore(call, store) {
  return store === DATA_CENTRE ? typeof caches === "object" : call.env.KV !== undefined;
}

function kept(call, store, key) {
  return store === DATA_CENTRE ? cached(key) : persisted(call, key);
}

function keep(call, store, key, envelope, body, seconds) {
  return store === DATA_CENTRE ? cache(key, envelope, body, seconds) : persist(call, key, envelope, body, seconds);
}

function forget(call, store, key) {
  return store === DATA_CENTRE ? uncache(key) : call.env.KV.delete(key);
}
