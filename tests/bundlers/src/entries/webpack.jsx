// For webpack and Rspack: imports of pictures are URLs, and both know `new URL` and workers.
import png from "../picture.png";
import svg from "../picture.svg";
import { start } from "../start.jsx";

start({
  png,
  svg,
  tides: new URL("../tides.csv", import.meta.url),
  startWorker: () => new Worker(new URL("../worker.js", import.meta.url)),
});
