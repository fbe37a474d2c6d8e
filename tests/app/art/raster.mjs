// Paints functions of (x, y) into pixels and writes them as PNG and ICO.
import { deflateSync } from "node:zlib";

/** How many samples a pixel takes in each direction, so that edges are smooth. */
const SAMPLES = 3;

/** Pixels of a picture whose colour at x, y in 0..1 is `colourAt` (`null`: transparent). */
export function paint(width, height, colourAt) {
  const pixels = Buffer.alloc(width * height * 4);
  for (let row = 0; row < height; row += 1) {
    for (let column = 0; column < width; column += 1) {
      pixels.set(average(width, height, column, row, colourAt), (row * width + column) * 4);
    }
  }
  return { width, height, pixels };
}

function average(width, height, column, row, colourAt) {
  const sum = [0, 0, 0];
  let covered = 0;
  for (let i = 0; i < SAMPLES * SAMPLES; i += 1) {
    const x = (column + ((i % SAMPLES) + 0.5) / SAMPLES) / width;
    const y = (row + (Math.floor(i / SAMPLES) + 0.5) / SAMPLES) / height;
    const colour = colourAt(x, y);
    if (colour === null) continue;
    covered += 1;
    for (let channel = 0; channel < 3; channel += 1) sum[channel] += colour[channel];
  }
  if (covered === 0) return [0, 0, 0, 0];
  return [...sum.map((channel) => Math.round(channel / covered)), Math.round((255 * covered) / SAMPLES ** 2)];
}

/** The picture as an RGB or RGBA PNG file; each row has the filter that makes its differences smallest. */
export function pngOf({ width, height, pixels }) {
  const opaque = pixels.every((value, i) => i % 4 !== 3 || value === 255);
  const channels = opaque ? 3 : 4;
  const rows = [];
  let above = Buffer.alloc(width * channels);
  for (let y = 0; y < height; y += 1) {
    const row = Buffer.alloc(width * channels);
    for (let x = 0; x < width; x += 1) {
      pixels.copy(row, x * channels, (y * width + x) * 4, (y * width + x) * 4 + channels);
    }
    rows.push(smallestFilter(row, above, channels));
    above = row;
  }
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, opaque ? 2 : 6, 0, 0, 0], 8);
  return Buffer.concat([
    Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
    chunk("IHDR", header),
    chunk("IDAT", deflateSync(Buffer.concat(rows), { level: 9 })),
    chunk("IEND", Buffer.alloc(0)),
  ]);
}

const FILTERS = [
  () => 0,
  (left) => left,
  (_, up) => up,
  (left, up) => (left + up) >> 1,
  (left, up, corner) => paeth(left, up, corner),
];

function paeth(left, up, corner) {
  const guess = left + up - corner;
  const [toLeft, toUp, toCorner] = [left, up, corner].map((value) => Math.abs(guess - value));
  if (toLeft <= toUp && toLeft <= toCorner) return left;
  return toUp <= toCorner ? up : corner;
}

function smallestFilter(row, above, channels) {
  let best = null;
  FILTERS.forEach((predict, kind) => {
    const filtered = Buffer.alloc(row.length + 1);
    filtered[0] = kind;
    let cost = 0;
    for (let i = 0; i < row.length; i += 1) {
      const left = i < channels ? 0 : row[i - channels];
      const corner = i < channels ? 0 : above[i - channels];
      const value = (row[i] - predict(left, above[i], corner)) & 0xff;
      filtered[i + 1] = value;
      cost += Math.min(value, 256 - value);
    }
    if (best === null || cost < best.cost) best = { cost, filtered };
  });
  return best.filtered;
}

function chunk(kind, data) {
  const body = Buffer.concat([Buffer.from(kind, "latin1"), data]);
  const framed = Buffer.alloc(body.length + 8);
  framed.writeUInt32BE(data.length, 0);
  body.copy(framed, 4);
  framed.writeUInt32BE(crc32(body), body.length + 4);
  return framed;
}

/** An icon file that holds each PNG as it is. */
export function icoOf(pictures) {
  const directory = Buffer.alloc(6 + 16 * pictures.length);
  directory.writeUInt16LE(1, 2);
  directory.writeUInt16LE(pictures.length, 4);
  let offset = directory.length;
  pictures.forEach(({ size, png }, i) => {
    const at = 6 + 16 * i;
    directory.set([size, size, 0, 0, 1, 0, 32, 0], at);
    directory.writeUInt32LE(png.length, at + 8);
    directory.writeUInt32LE(offset, at + 12);
    offset += png.length;
  });
  return Buffer.concat([directory, ...pictures.map(({ png }) => png)]);
}

/** The checksum of PNG chunks (early releases of Node.js 20 have none in `node:zlib`). */
function crc32(bytes) {
  let crc = ~0;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit += 1) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc >>> 0;
}
