import svg from "../picture.svg";
import { start } from "../start.js";

start({
  svg,
  tides: new URL("../tides.csv", import.meta.url),
  startWorker: () => new Worker(new URL("../worker.js", import.meta.url)),
});
