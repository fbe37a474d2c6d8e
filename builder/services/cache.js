// The cache behind the platform's Cache API under `rimward serve`: responses in memory, bounded, the least recently used
// forgotten first. It keeps what the Worker puts, as it puts it, until its `max-age` is over, and decides nothing else.

const TOTAL_BYTES = 256 * 1024 * 1024;
const LARGEST_BYTES = 32 * 1024 * 1024;

// { headers, body, until } by URL; the order is that of the last use.
const kept = new Map();
let bytes = 0;

function remove(url) {
  const entry = kept.get(url);
  if (entry === undefined) return false;
  kept.delete(url);
  bytes -= entry.body.length;
  return true;
}

function match(url) {
  const entry = kept.get(url);
  if (entry === undefined || entry.until <= Date.now()) {
    remove(url);
    return new Response(null, { status: 504, headers: { "cf-cache-status": "MISS" } });
  }
  kept.delete(url);
  kept.set(url, entry);
  return new Response(entry.body, { headers: entry.headers, encodeBody: "manual" });
}

// The body is the response as HTTP/1.1 writes it. A body that breaks off never gets here whole: reading it fails.
async function put(url, request) {
  const pieces = [];
  let length = 0;
  for await (const piece of request.body) {
    length += piece.length;
    if (length > LARGEST_BYTES) return new Response(null, { status: 413 });
    pieces.push(piece);
  }
  const written = new Uint8Array(length);
  let at = 0;
  for (const piece of pieces) {
    written.set(piece, at);
    at += piece.length;
  }
  const response = parse(written);
  const maxAge = /(?:^|[\s,])max-age=(\d+)/.exec(response?.headers.get("cache-control") ?? "");
  if (response === undefined || response.status !== 200 || maxAge === null) return new Response(null, { status: 413 });
  remove(url);
  response.headers.set("cf-cache-status", "HIT");
  kept.set(url, { ...response, until: Date.now() + Number(maxAge[1]) * 1000 });
  bytes += response.body.length;
  for (const oldest of kept.keys()) {
    if (bytes <= TOTAL_BYTES) break;
    remove(oldest);
  }
  return new Response(null, { status: 204 });
}

function parse(written) {
  const end = endOfHead(written);
  if (end === -1) return undefined;
  const [status, ...lines] = new TextDecoder().decode(written.subarray(0, end)).split("\r\n");
  const headers = new Headers();
  for (const line of lines) {
    const colon = line.indexOf(":");
    if (colon > 0) headers.append(line.slice(0, colon), line.slice(colon + 1).trim());
  }
  let body = written.subarray(end + 4);
  if (headers.get("transfer-encoding")?.toLowerCase() === "chunked") {
    body = unchunked(body);
    headers.delete("transfer-encoding");
  }
  const length = headers.get("content-length");
  if (body === undefined || (length !== null && Number(length) !== body.length)) return undefined;
  return { status: Number(status.split(" ")[1]), headers, body: body.slice() };
}

function endOfHead(bytes) {
  for (let at = bytes.indexOf(13); at !== -1; at = bytes.indexOf(13, at + 1)) {
    if (bytes[at + 1] === 10 && bytes[at + 2] === 13 && bytes[at + 3] === 10) return at;
  }
  return -1;
}

// The bytes of a chunked body (RFC 9112, section 7.1); `undefined` where it has no end.
function unchunked(bytes) {
  const whole = new Uint8Array(bytes.length);
  let length = 0;
  for (let at = 0; ; ) {
    const lineEnd = bytes.indexOf(10, at);
    if (lineEnd === -1) return undefined;
    const size = parseInt(new TextDecoder().decode(bytes.subarray(at, lineEnd)), 16);
    if (Number.isNaN(size) || lineEnd + 1 + size > bytes.length) return undefined;
    if (size === 0) return whole.subarray(0, length);
    whole.set(bytes.subarray(lineEnd + 1, lineEnd + 1 + size), length);
    length += size;
    at = lineEnd + 1 + size + 2;
  }
}

export default {
  async fetch(request) {
    switch (request.method) {
      case "GET":
        return match(request.url);
      case "PUT":
        return put(request.url, request);
      case "PURGE":
        return new Response(null, { status: remove(request.url) ? 200 : 404 });
      default:
        return new Response(null, { status: 405 });
    }
  },
};
