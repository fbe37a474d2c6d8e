// Bodies: cut into ranges, and held to time limits. Bytes that are at hand are a Uint8Array, everything else a stream.

// The parts of `body` that `plan` names, each after its head, then the plan's closing text. `plan` is
// "start NUL end NUL head NUL ... closing"; ranges ascend and lie apart.
function slice(body, plan) {
  const fields = plan.split("\0");
  const closing = encoder.encode(fields.pop());
  const parts = [];
  let length = closing.length;
  for (let i = 0; i < fields.length; i += 3) {
    const part = { start: Number(fields[i]), end: Number(fields[i + 1]), head: encoder.encode(fields[i + 2]) };
    length += part.head.length + part.end - part.start;
    parts.push(part);
  }
  if (body instanceof Uint8Array) return sliceBytes(body, parts, closing, length);
  const { readable, writable } = new FixedLengthStream(length);
  sliceStream(body.getReader(), parts, closing, writable.getWriter());
  return readable;
}

function sliceBytes(bytes, parts, closing, length) {
  if (parts.length === 1 && length === parts[0].end - parts[0].start) {
    return bytes.subarray(parts[0].start, parts[0].end);
  }
  const whole = new Uint8Array(length);
  let at = 0;
  const add = (piece) => {
    whole.set(piece, at);
    at += piece.length;
  };
  for (const { start, end, head } of parts) {
    add(head);
    add(bytes.subarray(start, end));
  }
  add(closing);
  return whole;
}

async function sliceStream(reader, parts, closing, writer) {
  try {
    let piece = new Uint8Array(0);
    let pieceStart = 0;
    for (const { start, end, head } of parts) {
      if (head.length > 0) await writer.write(head);
      for (let at = start; at < end; ) {
        if (at < pieceStart + piece.length) {
          const until = Math.min(end - pieceStart, piece.length);
          await writer.write(piece.slice(at - pieceStart, until));
          at = pieceStart + until;
          continue;
        }
        pieceStart += piece.length;
        const { done, value } = await reader.read();
        if (done) throw new Error("the file ended before the range did");
        piece = value;
      }
    }
    if (closing.length > 0) await writer.write(closing);
    await Promise.all([writer.close(), reader.cancel()]);
  } catch (error) {
    await breakOff(reader, writer, error);
  }
}

// How a body ended.
const [WHOLE, BROKE, LEFT] = [0, 1, 2];

// For so many milliseconds the beginning of a body is awaited: where it is long, and where it may be a stream that pauses.
const HELD_FOR = 1000;
const HELD_BRIEFLY = 20;

// What comes of a body within that time, up to `limit` bytes: all of it, or its beginning.
async function held(reader, limit, within) {
  const pieces = [];
  let length = 0;
  let timer;
  const late = new Promise((resolve) => (timer = setTimeout(resolve, within)));
  try {
    for (;;) {
      const reading = reader.read();
      const step = await Promise.race([reading, late]);
      if (step === undefined) return { pieces, reading };
      if (step.done) return { pieces, length, isWhole: true };
      pieces.push(step.value);
      length += step.value.length;
      if (length > limit) return { pieces };
    }
  } finally {
    clearTimeout(timer);
  }
}

// A stream of the bytes that `reader` reads, after those that it has read already. It breaks off where the source pauses for longer than
// `idle` milliseconds, or is not at its end at `deadline` (as Date.now() tells time). `ended` is told how it ended, where
// somebody wants to know.
function limited(reader, length, limits, ended) {
  const { readable, writable } = length === null ? new IdentityTransformStream() : new FixedLengthStream(length);
  pump(reader, writable.getWriter(), limits).then((end) => ended?.(end));
  return readable;
}

async function pump(reader, writer, { idle, deadline, begun, client } = {}) {
  // While the source is silent, nobody learns from a write that the client has left. What has an idle limit ends by itself.
  if (idle === undefined) client?.addEventListener("abort", () => reader.cancel(client.reason).catch(() => {}));
  let overdue;
  let isReading = false;
  const total = new Promise((_, reject) => {
    if (deadline === undefined) return;
    const late = () => reject(new Error("the origin's answer took longer than its `total` limit"));
    overdue = setTimeout(late, Math.max(0, deadline - Date.now()));
  });
  try {
    for (const piece of begun?.pieces ?? []) await Promise.race([total, writer.write(piece)]);
    let reading = begun?.reading;
    for (;;) {
      isReading = true;
      const { done, value } = await Promise.race([total, withinIdle(reading ?? reader.read(), idle)]);
      isReading = false;
      if (done) break;
      reading = undefined;
      await Promise.race([total, writer.write(value)]);
    }
    await writer.close();
    return WHOLE;
  } catch (error) {
    await breakOff(reader, writer, error);
    return isReading ? BROKE : LEFT;
  } finally {
    clearTimeout(overdue);
  }
}

function withinIdle(reading, idle) {
  if (idle === undefined) return reading;
  let timer;
  const paused = new Promise((_, reject) => {
    const late = () => reject(new Error("the origin paused for longer than its `idle` limit"));
    timer = setTimeout(late, idle);
  });
  return Promise.race([reading, paused]).finally(() => clearTimeout(timer));
}

// Whoever reads the one side and writes the other learns that the bytes are not whole.
async function breakOff(reader, writer, error) {
  await Promise.allSettled([writer.abort(error), reader.cancel(error)]);
}

// The same bytes; `over` is told of their end, of their breaking off, and where nobody wants them any more. Of a switched protocol,
// the same messages.
function watched(body, length, over, client) {
  if (body.webSocket) return bridged(body, over);
  if (!(body instanceof ReadableStream)) {
    over.fire();
    return body;
  }
  const { readable, writable } = length === null ? new IdentityTransformStream() : new FixedLengthStream(length);
  pump(body.getReader(), writable.getWriter(), { client }).then(() => over.fire());
  return readable;
}

// The platform tells nobody of the end of a WebSocket that it passes on by itself: each message of this one crosses here.
function bridged(response, over) {
  const [client, ours] = Object.values(new WebSocketPair());
  const origin = response.webSocket;
  pass(origin, ours, over);
  pass(ours, origin, over);
  return new Response(null, { status: 101, headers: response.headers, webSocket: client });
}

// What one side says at its end is said to the other. Codes that stand for none, or that nobody may send, cannot be.
function closeAs(socket, code, reason) {
  const isSendable = code >= 1000 && code < 5000 && ![1004, 1005, 1006, 1015].includes(code);
  try {
    socket.close(...(code === 1005 ? [] : isSendable ? [code, reason] : [1001]));
  } catch {
    try {
      socket.close(1001);
    } catch {
      // It is closed already.
    }
  }
}

function pass(from, to, over) {
  const end = (code, reason) => {
    over.fire();
    closeAs(to, code, reason);
  };
  from.binaryType = "arraybuffer";
  from.addEventListener("message", ({ data }) => {
    try {
      to.send(data);
    } catch {
      end(1006);
    }
  });
  from.addEventListener("close", ({ code, reason }) => end(code, reason));
  from.addEventListener("error", () => end(1006));
  from.accept();
}

// All of `stream` as bytes where it is no longer than `limit`; else a stream of the same bytes.
async function gather(stream, limit) {
  const reader = stream.getReader();
  const pieces = [];
  let length = 0;
  while (length <= limit) {
    const { done, value } = await reader.read();
    if (done) return join(pieces, length);
    pieces.push(value);
    length += value.length;
  }
  const { readable, writable } = new IdentityTransformStream();
  const writer = writable.getWriter();
  (async () => {
    try {
      for (const piece of pieces) await writer.write(piece);
      await pump(reader, writer);
    } catch (error) {
      await breakOff(reader, writer, error);
    }
  })();
  return readable;
}

function join(pieces, length) {
  if (pieces.length === 1) return pieces[0];
  const whole = new Uint8Array(length);
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}
