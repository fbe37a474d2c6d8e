// What bundlers disagree on comes in as `assets`.
import notes from "./notes.json";
import { product } from "./product.js";
import styles from "./start.module.css";
import "./global.css";

export async function start({ svg, tides, startWorker }) {
  document.body.className = styles.page;
  document.body.append(Object.assign(new Image(), { src: svg, alt: notes.title }));
  const language = document.documentElement.lang;
  const greeting = await (await fetch(`/locales/${language}.json`)).json();
  startWorker().postMessage([product([6, 7]), greeting, (await fetch(tides)).status]);
  const { about } = await import(/* webpackChunkName: "about" */ "./routes/about.js");
  about(document.body);
  (await import("./routes/late.js")).late();
}
