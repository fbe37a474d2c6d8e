import { start } from "../start.js";

start({
  svg: new URL("../picture.svg", import.meta.url).href,
  tides: new URL("../tides.csv", import.meta.url),
  startWorker: () => new Worker(new URL("../worker.js", import.meta.url), { type: "module" }),
});
