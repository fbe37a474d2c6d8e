// What the build must keep working, one check each: it returns what it saw, or throws why not.
import notes from "../notes.json";
import styles from "./checks.module.css";

/** `assets` has the URLs `svg`, `png` and `tides`, and `startWorker()`. */
export function checksOf(assets) {
  return {
    "lazy-route": lazyRoute,
    worker: () => ask(assets.startWorker()),
    json: async () => must(notes.notes.length === 3 && `${notes.notes.length} notes`, "the notes are not complete"),
    svg: () => decodes(assets.svg),
    png: () => decodes(assets.png),
    "new-url": () => tides(assets.tides),
    logo: () => decodes("/logo.png"),
    css: async () => withProbe(styles.probe, ({ width }) => must(width === "123px" && width, `a width is ${width}`)),
    "css-image": cssImage,
    font,
    "computed-name": greetings,
    manifest,
  };
}

function must(value, otherwise) {
  if (!value) throw new Error(otherwise);
  return value;
}

async function fetched(url) {
  const response = await fetch(url);
  must(response.ok, `${response.url} answered ${response.status}`);
  return response;
}

async function decodes(url) {
  const image = new Image();
  image.src = url;
  await image.decode();
  return must(image.naturalWidth && `${image.naturalWidth} × ${image.naturalHeight}`, "the picture is empty");
}

/** The page's code comes, and its styles with it. */
async function lazyRoute() {
  const { Component, className } = await import(/* webpackChunkName: "about" */ "../routes/About.jsx");
  must(typeof Component === "function", "the page has no component");
  return withProbe(className, ({ fontStyle }) => must(fontStyle === "italic" && fontStyle, "its styles are not applied"));
}

function ask(worker) {
  return new Promise((resolve, reject) => {
    worker.onmessage = ({ data }) => (data === 42 ? resolve("42") : reject(new Error(`it said ${data}`)));
    worker.onerror = (event) => reject(new Error(event.message || "it did not start"));
    worker.postMessage([6, 7]);
  }).finally(() => worker.terminate());
}

async function tides(url) {
  const lines = (await (await fetched(url)).text()).trim().split("\n");
  return must(lines.length === 169 && `${lines.length} lines`, `${lines.length} lines instead of 169`);
}

/** Looks at an element of this class, as styled. */
function withProbe(className, look) {
  const probe = document.createElement("div");
  probe.className = className;
  document.body.append(probe);
  try {
    return look(getComputedStyle(probe));
  } finally {
    probe.remove();
  }
}

async function cssImage() {
  const image = withProbe(styles.probe, ({ backgroundImage }) => backgroundImage);
  const [, url] = /url\("(.+)"\)/.exec(image) ?? [];
  return decodes(must(url, `no URL in ${image}`));
}

async function font() {
  const faces = await document.fonts.load('400 1rem "Space Grotesk"');
  must(faces.length > 0 && faces.every(({ status }) => status === "loaded"), "it did not load");
  return faces[0].family;
}

async function greetings() {
  const texts = await Promise.all(["en", "de"].map(async (language) => (await fetched(`/locales/${language}.json`)).json()));
  must(texts.every(({ greeting }) => greeting), "a text is missing");
  return texts.map(({ greeting }) => greeting).join(", ");
}

async function manifest() {
  const { href } = document.querySelector('link[rel="manifest"]');
  const { icons } = await (await fetched(href)).json();
  return decodes(new URL(icons[0].src, href).href);
}
