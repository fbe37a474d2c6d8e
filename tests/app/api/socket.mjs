// A WebSocket endpoint that sends back what it gets (RFC 6455), in as few lines as a demo can have.
import { createHash } from "node:crypto";

/** RFC 6455 §1.3. */
const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
/** Frames larger than this close the connection. */
const FRAME_LIMIT_BYTES = 1024 * 1024;

const opcode = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 };
const closeCode = { protocolError: 1002, tooBig: 1009 };

/** Answers an upgrade: an echo at `path`, a refusal elsewhere. */
export function upgrade(request, socket, path) {
  const [pathname] = request.url.split("?");
  const key = request.headers["sec-websocket-key"];
  if (pathname !== path || !key) {
    const status = pathname === path ? "400 Bad Request" : "404 Not Found";
    socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
    return;
  }
  const accept = createHash("sha1").update(key + GUID).digest("base64");
  const protocol = request.headers["sec-websocket-protocol"]?.split(",")[0].trim();
  socket.write(
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
      `Sec-WebSocket-Accept: ${accept}\r\n${protocol ? `Sec-WebSocket-Protocol: ${protocol}\r\n` : ""}\r\n`,
  );
  let pending = Buffer.alloc(0);
  socket.on("error", () => socket.destroy());
  socket.on("data", (bytes) => {
    pending = answerFrames(socket, Buffer.concat([pending, bytes]));
  });
}

/** Answers every whole frame and returns the bytes of the one that is still incomplete. */
function answerFrames(socket, bytes) {
  let rest = bytes;
  while (!socket.writableEnded) {
    const frame = frameAt(rest);
    if (frame === null) return rest;
    if (frame.fault) {
      closeWith(socket, frame.fault);
      break;
    }
    rest = rest.subarray(frame.size);
    reply(socket, frame);
  }
  return Buffer.alloc(0);
}

function reply(socket, { final, kind, payload }) {
  if (kind === opcode.close) socket.end(frameOf(true, opcode.close, payload.subarray(0, 2)));
  else if (kind === opcode.ping) socket.write(frameOf(true, opcode.pong, payload));
  else if (kind !== opcode.pong) socket.write(frameOf(final, kind, payload));
}

function closeWith(socket, code) {
  const payload = Buffer.alloc(2);
  payload.writeUInt16BE(code);
  socket.end(frameOf(true, opcode.close, payload));
}

/** The first frame of `bytes`; `null` while more bytes are needed. */
function frameAt(bytes) {
  if (bytes.length < 2) return null;
  const masked = (bytes[1] & 0x80) !== 0;
  const short = bytes[1] & 0x7f;
  const extended = short === 126 ? 2 : short === 127 ? 8 : 0;
  if (!masked) return { fault: closeCode.protocolError };
  const head = 2 + extended + 4;
  if (bytes.length < head) return null;
  const length = extended === 0 ? short : extended === 2 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2));
  if (length > FRAME_LIMIT_BYTES) return { fault: closeCode.tooBig };
  if (bytes.length < head + length) return null;
  const mask = bytes.subarray(head - 4, head);
  const payload = Buffer.from(bytes.subarray(head, head + length));
  for (let i = 0; i < length; i += 1) payload[i] ^= mask[i % 4];
  return { final: (bytes[0] & 0x80) !== 0, kind: bytes[0] & 0x0f, payload, size: head + length };
}

function frameOf(final, kind, payload) {
  const length = payload.length;
  const head = Buffer.alloc(length < 126 ? 2 : length < 65536 ? 4 : 10);
  head[0] = (final ? 0x80 : 0) | kind;
  if (length < 126) head[1] = length;
  else if (length < 65536) {
    head[1] = 126;
    head.writeUInt16BE(length, 2);
  } else {
    head[1] = 127;
    head.writeBigUInt64BE(BigInt(length), 2);
  }
  return Buffer.concat([head, payload]);
}
