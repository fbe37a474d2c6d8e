// esbuild: modules with shared chunks. It writes no HTML and leaves workers alone, so both are steps of their own.
import { readFileSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import esbuild from "esbuild";
import { folder, source } from "./folder.mjs";

export async function build({ out, sourceMaps, hashedEntries = false }) {
  const shared = {
    absWorkingDir: folder,
    outdir: out,
    bundle: true,
    splitting: true,
    format: "esm",
    minify: true,
    metafile: true,
    sourcemap: sourceMaps,
    target: "es2022",
    publicPath: "/",
    entryNames: hashedEntries ? "[name]-[hash]" : "[name]",
    chunkNames: "chunks/[name]-[hash]",
    assetNames: "media/[name]-[hash]",
    logLevel: "warning",
  };
  const worker = await esbuild.build({ ...shared, entryPoints: { worker: source("worker.js") } });
  const main = await esbuild.build({
    ...shared,
    entryPoints: { main: source("entries/esbuild.jsx") },
    jsx: "automatic",
    define: {
      "process.env.NODE_ENV": '"production"',
      WORKER_URL: JSON.stringify(entryOf(worker, out).script),
    },
    loader: { ".png": "file", ".svg": "file", ".csv": "file", ".woff": "file", ".woff2": "file" },
  });
  writeFileSync(join(out, "index.html"), pageWith(entryOf(main, out)));
}

/** The URLs of a build's entry and of the styles that belong to it. */
function entryOf({ metafile }, out) {
  const [[file, { cssBundle }]] = Object.entries(metafile.outputs).filter(([, output]) => output.entryPoint);
  const urlOf = (path) => `/${relative(out, join(folder, path)).replaceAll("\\", "/")}`;
  return { script: urlOf(file), styles: cssBundle && urlOf(cssBundle) };
}

function pageWith({ script, styles }) {
  const tags = `    <link rel="stylesheet" href="${styles}" />\n    <script type="module" src="${script}"></script>\n  </head>`;
  return readFileSync(source("page.html"), "utf8").replace("  </head>", tags);
}
