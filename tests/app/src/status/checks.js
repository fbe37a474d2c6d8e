// What the shop needs from the network and the browser, one check each: `run` returns what it saw, or throws why not.
import { cacheState } from "../api.js";
import countriesUrl from "../data/countries.json?url";
import harbour from "../images/harbour.png";
import rope from "../images/rope.svg";
import { search } from "../search/search.js";
import { loadRates } from "../shipping.js";
import { languages } from "../preferences.js";
import { loadTexts } from "../text.js";
import logo from "/logo.png";
import styles from "./checks.module.css";

export const checks = [
  { name: "lazy-route", label: "A page that is loaded when it is asked for", run: lazyRoute },
  { name: "lazy-library", label: "The price chart", run: lazyLibrary },
  { name: "worker", label: "Search", run: worker },
  { name: "json", label: "List of countries", run: json },
  { name: "new-url", label: "Shipping rates", run: rates },
  { name: "svg", label: "Drawings", run: () => decodes(rope) },
  { name: "png", label: "Pictures", run: () => decodes(harbour) },
  { name: "logo", label: "Logo", run: () => decodes(logo) },
  { name: "css", label: "Styles", run: css },
  { name: "css-image", label: "Pictures that styles name", run: cssImage },
  { name: "font", label: "Font", run: font },
  { name: "computed-name", label: "Translations", run: translations },
  { name: "manifest", label: "Installing as an app", run: manifest },
  { name: "api", label: "Products", run: api },
  { name: "api-upload", label: "Sending data", run: upload },
  { name: "api-events", label: "Live stock", run: events },
  { name: "api-socket", label: "Live connection", run: socket },
];

function must(condition, otherwise) {
  if (!condition) throw new Error(otherwise);
}

async function fetched(url, init) {
  const response = await fetch(url, init);
  must(response.ok, `${new URL(response.url || url, location).pathname} answered ${response.status}`);
  return response;
}

async function decodes(url) {
  const image = new Image();
  image.src = url;
  await image.decode();
  must(image.naturalWidth > 0, "the picture is empty");
  return `${image.naturalWidth} × ${image.naturalHeight}`;
}

async function lazyRoute() {
  const { Component } = await import("../routes/About.jsx");
  must(typeof Component === "function", "the page has no component");
  return Component.displayName;
}

async function lazyLibrary() {
  const { default: Chart } = await import("../product/PriceHistory.jsx");
  must(typeof Chart === "function", "the chart has no component");
  return "loaded";
}

async function worker() {
  const shelf = [
    { id: "1", name: "Kettle", description: "" },
    { id: "2", name: "Lantern", description: "" },
  ];
  const matches = await search(shelf, "lamps");
  must(matches.join() === "2", `found ${matches.join() || "nothing"} instead of 2`);
  return "found";
}

async function json() {
  const countries = await (await fetched(countriesUrl)).json();
  must(countries.some(({ code }) => code === "DK"), "Denmark is missing");
  return `${countries.length} countries`;
}

async function rates() {
  const table = await loadRates();
  must(table.length > 100 && table.every(({ cents }) => cents > 0), "the table is not complete");
  return `${table.length} rates`;
}

/** An element with the check's styles, for as long as `look` looks at it. */
function withProbe(look) {
  const probe = document.createElement("div");
  probe.className = styles.probe;
  document.body.append(probe);
  try {
    return look(getComputedStyle(probe));
  } finally {
    probe.remove();
  }
}

async function css() {
  const width = withProbe((style) => style.width);
  must(width === "123px", `a width is ${width} instead of 123px`);
  return "applied";
}

async function cssImage() {
  const image = withProbe((style) => style.backgroundImage);
  const [, url] = /url\("(.+)"\)/.exec(image) ?? [];
  must(url, `no URL in ${image}`);
  return decodes(url);
}

async function font() {
  const faces = await document.fonts.load('700 1rem "Space Grotesk"');
  must(faces.length > 0, "there is no such face");
  must(faces.every(({ status }) => status === "loaded"), faces.map(({ status }) => status).join());
  return faces.map(({ family, weight }) => `${family} ${weight}`).join();
}

async function translations() {
  const texts = await Promise.all(languages.map((language) => loadTexts(language)));
  must(texts.every((entries) => entries["nav.shop"]), "a text is missing");
  return languages.join(", ");
}

async function manifest() {
  const { href } = document.querySelector('link[rel="manifest"]');
  const { name, icons } = await (await fetched(href)).json();
  must(icons.length > 0, "it has no icons");
  await Promise.all(icons.map((icon) => decodes(new URL(icon.src, href).href)));
  return `${name}, ${icons.length} icons`;
}

async function api() {
  const response = await fetched("/api/products");
  const list = await response.json();
  must(list.length > 0, "the list is empty");
  return [`${list.length} products`, cacheState(response)].filter(Boolean).join(", ");
}

async function upload() {
  const sent = new Uint8Array(100_000).map((_, i) => i % 251);
  const response = await fetched("/api/echo", { method: "POST", body: sent });
  const received = new Uint8Array(await response.arrayBuffer());
  must(received.length === sent.length && received.every((byte, i) => byte === sent[i]), "other bytes came back");
  return `${received.length} bytes`;
}

function events() {
  return new Promise((resolve, reject) => {
    const source = new EventSource("/api/events?interval=50");
    const settle = (outcome, value) => {
      source.close();
      outcome(value);
    };
    source.addEventListener("stock", ({ data }) => settle(resolve, data));
    source.onerror = () => settle(reject, new Error("the stream broke off"));
  });
}

function socket() {
  return new Promise((resolve, reject) => {
    const connection = new WebSocket(new URL("/api/ws", location.href.replace(/^http/, "ws")));
    connection.onopen = () => connection.send("ahoy");
    connection.onerror = () => reject(new Error("no connection"));
    connection.onclose = ({ code }) => reject(new Error(`closed with ${code}`));
    connection.onmessage = ({ data }) => {
      if (data === "ahoy") resolve(data);
      else reject(new Error(`${data} came back`));
      connection.close();
    };
  });
}
