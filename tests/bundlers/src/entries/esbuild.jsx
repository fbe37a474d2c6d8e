// For esbuild: imports are URLs; it leaves `new URL` and workers alone, so the worker is an entry of its own, whose URL is
// put in for `WORKER_URL`.
import png from "../picture.png";
import svg from "../picture.svg";
import { start } from "../start.jsx";
import tides from "../tides.csv";

start({ png, svg, tides, startWorker: () => new Worker(WORKER_URL, { type: "module" }) });
