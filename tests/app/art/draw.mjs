// Draws the shop's pictures, so that they are ours, are the same on every machine, and can be looked over as text.
// `npm run art` writes them anew; the results are committed, because a build must not depend on this file.
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { icoOf, paint, pngOf } from "./raster.mjs";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");

const navy = [18, 38, 58];
const sand = [244, 234, 213];
const coral = [228, 87, 46];
const amber = [255, 201, 20];
const teal = [46, 134, 150];

/** A point between two colours; `t` is clamped to 0..1. */
function mix(from, to, t) {
  const share = Math.min(1, Math.max(0, t));
  return from.map((channel, i) => channel + (to[i] - channel) * share);
}

/** A lighthouse on a disc: the logo and every icon, for x and y in 0..1. */
function lighthouse(x, y) {
  const fromCentre = Math.hypot(x - 0.5, y - 0.5);
  if (fromCentre > 0.48) return null;
  const towerHalf = 0.07 + 0.06 * (y - 0.35);
  if (y > 0.35 && y < 0.74 && Math.abs(x - 0.5) < towerHalf) {
    return Math.floor((y - 0.35) / 0.098) % 2 === 0 ? sand : coral;
  }
  if (y > 0.24 && y <= 0.35 && Math.abs(x - 0.5) < 0.055) return amber;
  if (y > 0.17 && y <= 0.24 && Math.abs(x - 0.5) < (y - 0.17) * 1.05) return coral;
  if (y > 0.74 + 0.018 * Math.sin(x * 38)) return teal;
  if (Math.abs(y - 0.295) < Math.abs(x - 0.5) * 0.22) return mix(amber, navy, fromCentre * 1.6 + 0.1);
  return navy;
}

/** The same on a full square, for launchers that cut their own shape. */
function maskable(x, y) {
  return lighthouse(0.5 + (x - 0.5) * 1.15, 0.5 + (y - 0.5) * 1.15) ?? navy;
}

/** The harbour at dusk, behind the shop's headline. */
function harbour(x, y) {
  const horizon = 0.62;
  const sun = Math.hypot((x - 0.72) * 2.5, y - 0.5);
  if (y < horizon) {
    const hills = 0.5 + 0.05 * Math.sin(x * 9) + 0.03 * Math.sin(x * 23 + 1);
    const far = 0.46 + 0.06 * Math.sin(x * 5 + 2);
    if (y > hills) return mix(navy, [30, 60, 80], (y - hills) * 5);
    if (y > far) return mix([70, 80, 110], [52, 72, 100], (y - far) * 8);
    if (sun < 0.13) return mix([255, 236, 170], amber, sun / 0.13);
    return mix([38, 52, 92], [246, 160, 98], y / horizon);
  }
  const depth = (y - horizon) / (1 - horizon);
  const ripple = Math.sin(y * 190) * Math.sin(x * 14 + y * 60) > 0.25 + depth * 0.4;
  const glint = Math.abs(x - 0.72) < 0.03 + depth * 0.08 && Math.sin(y * 230) > 0;
  if (glint) return mix(amber, coral, depth);
  return ripple ? mix([70, 110, 130], teal, depth) : mix([46, 76, 104], navy, depth);
}

/** A sea chart, folded twice. */
function chart(x, y) {
  const coast = 0.34 + 0.12 * Math.sin(y * 7) + 0.05 * Math.sin(y * 19 + 1);
  const fold = Math.abs((x * 3) % 1 - 0.5);
  let colour = x < coast ? [226, 208, 158] : [198, 224, 230];
  for (const reach of [0, 0.07, 0.15, 0.26]) {
    if (Math.abs(x - coast - reach) < 0.004) colour = teal;
  }
  if (Math.min((x * 8) % 1, (y * 8) % 1) < 0.03) colour = mix(colour, navy, 0.25);
  if (Math.hypot(x - 0.72, y - 0.7) < 0.1 && Math.abs(Math.sin(6 * Math.atan2(y - 0.7, x - 0.72))) > 0.6) colour = coral;
  return mix(mix(colour, [255, 255, 255], 0.1), navy, Math.max(0, fold - 0.44) * 4);
}

/** A buoy on the swell. */
function buoy(x, y) {
  const water = 0.7 + 0.025 * Math.sin(x * 18);
  const lean = x - 0.5 - (0.75 - y) * 0.12;
  if (Math.hypot(lean, y - 0.17) < 0.035) return amber;
  if (y > 0.2 && y < 0.45 && Math.abs(Math.abs(lean) - (y - 0.2) * 0.45 - 0.015) < 0.014) return navy;
  if (y >= 0.45 && y < 0.76 && Math.abs(lean) < 0.2 - Math.max(0, y - 0.66) * 0.9) {
    return mix(y > 0.53 && y < 0.61 ? sand : coral, navy, Math.max(0, lean) * 2.2);
  }
  if (y > water) return mix([120, 178, 190], teal, (y - water) * 4);
  return mix([214, 232, 236], sand, y);
}

function svg(body) {
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 240 240" width="240" height="240">\n${body}\n</svg>\n`;
}

/** A compass with all its degrees: written out, as drawing programs do. */
function compass() {
  const ticks = [];
  for (let degree = 0; degree < 360; degree += 5) {
    const inner = degree % 45 === 0 ? 74 : degree % 15 === 0 ? 80 : 85;
    const angle = (degree * Math.PI) / 180;
    const at = (radius) => `${(120 + radius * Math.sin(angle)).toFixed(2)} ${(120 - radius * Math.cos(angle)).toFixed(2)}`;
    ticks.push(`    <path d="M${at(inner)}L${at(92)}"/>`);
  }
  return svg(`  <title>Compass</title>
  <defs>
    <radialGradient id="face"><stop offset="0" stop-color="#fffaf0"/><stop offset="1" stop-color="#f4ead5"/></radialGradient>
  </defs>
  <circle cx="120" cy="120" r="108" fill="#b5852f"/>
  <circle cx="120" cy="120" r="97" fill="url(#face)"/>
  <g stroke="#12263a" stroke-width="2" stroke-linecap="round">
${ticks.join("\n")}
  </g>
  <path d="M120 42l16 78h-32z" fill="#e4572e"/>
  <path d="M120 198l16-78h-32z" fill="#12263a"/>
  <circle cx="120" cy="120" r="8" fill="#ffc914"/>
  <text x="120" y="92" font-family="sans-serif" font-size="18" text-anchor="middle" fill="#fffaf0">N</text>`);
}

/** A coil of rope, strand by strand. */
function rope() {
  const strands = [];
  for (let turn = 0; turn < 4; turn += 1) {
    const radius = 96 - turn * 20;
    const count = Math.round(radius / 3);
    for (let i = 0; i < count; i += 1) {
      const angle = (i / count) * 2 * Math.PI;
      const x = 120 + radius * Math.cos(angle);
      const y = 120 + radius * Math.sin(angle);
      const degrees = (angle * 180) / Math.PI + 55;
      const fill = i % 2 === 0 ? "#d9b26f" : "#c4974c";
      strands.push(`  <ellipse cx="${x.toFixed(1)}" cy="${y.toFixed(1)}" rx="13" ry="6" fill="${fill}" transform="rotate(${degrees.toFixed(1)} ${x.toFixed(1)} ${y.toFixed(1)})"/>`);
    }
  }
  return svg(`  <title>Rope</title>\n${strands.join("\n")}`);
}

/** A woven blanket. */
function blanket() {
  const threads = [];
  const colours = ["#e4572e", "#f4ead5", "#12263a", "#2e8696"];
  for (let row = 0; row < 10; row += 1) {
    for (let column = 0; column < 9; column += 1) {
      const fill = colours[(row * 2 + Math.abs(4 - column)) % colours.length];
      threads.push(`  <rect x="${30 + column * 20}" y="${20 + row * 20}" width="19" height="19" fill="${fill}"/>`);
    }
  }
  for (let x = 34; x < 210; x += 8) threads.push(`  <path d="M${x} 220v14" stroke="#12263a"/>`);
  return svg(`  <title>Blanket</title>\n${threads.join("\n")}`);
}

function write(path, contents) {
  const target = join(root, path);
  mkdirSync(dirname(target), { recursive: true });
  writeFileSync(target, contents);
  console.log(`${path} ${contents.length}`);
}

write("public/logo.png", pngOf(paint(96, 96, lighthouse)));
write("public/icons/icon-192.png", pngOf(paint(192, 192, lighthouse)));
write("public/icons/icon-512.png", pngOf(paint(512, 512, maskable)));
write("public/favicon.ico", icoOf([16, 32].map((size) => ({ size, png: pngOf(paint(size, size, lighthouse)) }))));
write("src/images/harbour.png", pngOf(paint(960, 320, harbour)));
write("src/images/chart.png", pngOf(paint(320, 320, chart)));
write("src/images/buoy.png", pngOf(paint(320, 320, buoy)));
write("src/images/compass.svg", compass());
write("src/images/rope.svg", rope());
write("src/images/blanket.svg", blanket());
