// What the core asks of the platform, over the platform's own objects. Nothing here decides anything.
//
// Lists of fields cross the border to Wasm as one string, "name LF value LF ...": neither can hold a line feed.

const encoder = new TextEncoder();

// Files up to this size are read whole, so that the core may keep them at hand.
const AT_HAND_BYTES = 1024 * 1024;

// The names that the core asks for by number.
let fieldNames = [];

function header(call, name) {
  return call.headers.get(fieldNames[name]);
}

function headerNamed(call, name) {
  return call.headers.get(name);
}

function headers(call) {
  return pack(call.headers);
}

function acceptEncoding(call) {
  return call.cf?.clientAcceptEncoding ?? call.headers.get("accept-encoding");
}

function country(call) {
  return call.cf?.country ?? undefined;
}

// In whole degrees; the platform has it as text.
function coordinate(call, name) {
  const degrees = Math.round(Number.parseFloat(call.cf?.[name]));
  return Number.isNaN(degrees) ? undefined : degrees;
}

function peer(call) {
  return call.cf?.clientIp;
}

function takeBody(call) {
  return call.request.body;
}

function variable(call, name) {
  const value = call.env[name];
  return typeof value === "string" ? value : undefined;
}

function random() {
  return crypto.getRandomValues(new Uint8Array(1024));
}

function log(line) {
  console.log(line);
}

// The file at `path`: bytes, or a stream where it is large, or `undefined`. Without a binding: no promise.
function asset(call, path) {
  const { ASSETS } = call.env;
  return ASSETS === undefined ? undefined : fetchAsset(ASSETS, path, AT_HAND_BYTES);
}

// The file at `path`, whole, and its SHA-256.
function read(call, path) {
  const { ASSETS } = call.env;
  return ASSETS === undefined ? undefined : fetchAsset(ASSETS, path, Infinity).then(withDigest);
}

async function withDigest(bytes) {
  if (bytes === undefined) return undefined;
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return { bytes, sha256: Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("") };
}

async function fetchAsset(assets, path, limit) {
  const url = "http://assets/" + path.split("/").map(encodeURIComponent).join("/");
  const response = await assets.fetch(url, { redirect: "manual" });
  const length = response.headers.get("content-length");
  if (response.status === 404 || (response.status === 200 && isListing(response, length))) {
    await response.body?.cancel();
    return undefined;
  }
  if (response.status !== 200) {
    await response.body?.cancel();
    throw new Error(`the binding answered ${response.status}`);
  }
  if (response.body === null) return new Uint8Array(0);
  if (length !== null && Number(length) > limit) return response.body;
  if (length !== null || limit === Infinity) return new Uint8Array(await response.arrayBuffer());
  return gather(response.body, limit);
}

// workerd's disk service answers a folder with a list of it, unlike a file without a length.
function isListing(response, length) {
  const { headers } = response;
  return length === null && headers.get("content-type") === "application/json" && !headers.has("etag");
}

// The one way out: every request to an origin is made of this. `cf` keeps the platform's own cache of subrequests out
// and, unlike `cache: "no-store"`, adds nothing to the request. Bodies are passed on as they are, whatever their encoding.
function outbound(method, fields, body, signal) {
  return {
    method,
    headers: unpack(fields),
    body,
    signal,
    redirect: "manual",
    encodeResponseBody: "manual",
    cf: { cacheTtlByStatus: { "100-599": -1 } },
  };
}

// Sends a request to an origin. Never rejects: `late` says that no head came in time, `cut` that the body broke off before anybody
// got any of it (as far as `hold` bytes of it were awaited), `error` why there is no answer. `ended` is told how the body ended;
// `client` is the signal that nobody wants it any more.
async function send(method, url, fields, body, answer, idle, total, hold = 0, ended = undefined, client = undefined) {
  const started = Date.now();
  const controller = new AbortController();
  let [late, came] = [false, false];
  const timer = setTimeout(() => {
    late = true;
    controller.abort();
  }, answer);
  try {
    const response = await fetch(url, outbound(method, fields, body, controller.signal));
    came = true;
    const deadline = total === undefined ? undefined : started + total;
    const isUnlimited = (idle === undefined && deadline === undefined) || isEventStream(response.headers);
    const length = lengthOf(response.headers);
    if (!isUnlimited && length !== null && length <= hold && response.body !== null && !response.webSocket) {
      // The limit for the answer goes on: it is all of it.
      return { status: response.status, fields: pack(response.headers), body: await shortBody(response, length, ended) };
    }
    clearTimeout(timer);
    const inbound = await inboundBody(response, length, isUnlimited, { idle, deadline, client }, hold, ended);
    return { status: response.status, fields: pack(response.headers), body: inbound };
  } catch (error) {
    return { late, cut: came, error: String(error?.message ?? error) };
  } finally {
    clearTimeout(timer);
  }
}

function lengthOf(headers) {
  const said = headers.get("content-length");
  return said === null ? null : Number(said);
}

// All of a body, at once.
async function shortBody(response, length, ended) {
  const bytes = new Uint8Array(await response.arrayBuffer());
  if (bytes.length !== length) throw new Error("it ended before its length");
  if (!isCodedAsSaid(response.headers, bytes)) throw new Error("it is not encoded as it says");
  ended?.(WHOLE);
  return bytes;
}

// A switched protocol is passed on as the response itself. A stream of events may pause, and last, as it likes.
async function inboundBody(response, length, isUnlimited, limits, hold, ended) {
  const { body, headers, webSocket } = response;
  if (webSocket || body === null) {
    ended?.(WHOLE);
    return webSocket ? response : null;
  }
  if (isUnlimited && ended === undefined) return body;
  const reader = body.getReader();
  if (isUnlimited) return limited(reader, length, { client: limits.client }, ended);
  if (hold === 0) return limited(reader, length, limits, ended);
  const begun = await held(reader, length === null ? hold : 0, length === null ? HELD_BRIEFLY : HELD_FOR);
  if (!isCodedAsSaid(headers, begun.pieces[0])) throw new Error("it is not encoded as it says");
  if (!begun.isWhole) return limited(reader, length, { ...limits, begun }, ended);
  if (length !== null && length !== begun.length) throw new Error("it ended before its length");
  ended?.(WHOLE);
  return join(begun.pieces, begun.length);
}

// How bodies of a coding begin.
const CODINGS = { gzip: [0x1f, 0x8b], zstd: [0x28, 0xb5, 0x2f, 0xfd] };

function isCodedAsSaid(headers, piece) {
  const begins = CODINGS[headers.get("content-encoding")];
  return begins === undefined || piece === undefined || begins.every((byte, at) => at >= piece.length || piece[at] === byte);
}

// A body that nobody will read.
function discard(body) {
  if (body instanceof ReadableStream) body.cancel().catch(() => {});
}

function isEventStream(headers) {
  return /^text\/event-stream\s*(;|$)/i.test(headers.get("content-type") ?? "");
}

// A head that many responses share. The platform copies a `Headers` faster than it reads an object.
function prepare(fields) {
  return unpack(fields);
}

// The response with the shared fields of `prepared`, replaced or added to by those of `own`: each name stands there once.
function respondPrepared(status, prepared, own, encoded, body) {
  const response = new Response(body, { status, headers: prepared, encodeBody: encoded ? "manual" : "automatic" });
  const { headers } = response;
  eachField(own, (name, value) => headers.set(name, value));
  return response;
}

// The response with these fields; a name may stand in several lines.
function respond(status, fields, encoded, body) {
  return new Response(body, { status, headers: unpack(fields), encodeBody: encoded ? "manual" : "automatic" });
}

function pack(headers) {
  let packed = "";
  let setsCookies = false;
  // The platform's iterator costs twice as much.
  headers.forEach((value, name) => {
    if (name === "set-cookie") setsCookies = true;
    else packed += name + "\n" + value + "\n";
  });
  // The platform sorts fields by their names, and where they are many it mixes those of one name up.
  if (setsCookies) for (const cookie of headers.getSetCookie()) packed += "set-cookie\n" + cookie + "\n";
  return packed;
}

function unpack(fields) {
  const headers = new Headers();
  eachField(fields, (name, value) => headers.append(name, value));
  return headers;
}

function eachField(fields, use) {
  let at = 0;
  while (at < fields.length) {
    const nameEnd = fields.indexOf("\n", at);
    const valueEnd = fields.indexOf("\n", nameEnd + 1);
    if (valueEnd === -1) break;
    use(fields.slice(at, nameEnd), fields.slice(nameEnd + 1, valueEnd));
    at = valueEnd + 1;
  }
}

function pairs(fields) {
  const list = [];
  eachField(fields, (name, value) => list.push([name, value]));
  return list;
}
