// For Parcel: every URL is a `new URL`.
import { start } from "../start.jsx";

start({
  png: new URL("../picture.png", import.meta.url).href,
  svg: new URL("../picture.svg", import.meta.url).href,
  tides: new URL("../tides.csv", import.meta.url),
  startWorker: () => new Worker(new URL("../worker.js", import.meta.url), { type: "module" }),
});
