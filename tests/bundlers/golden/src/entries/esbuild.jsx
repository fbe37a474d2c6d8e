import svg from "../picture.svg";
import { start } from "../start.js";
import tides from "../tides.csv";

start({ svg, tides, startWorker: () => new Worker(WORKER_URL, { type: "module" }) });
