// Vite 8 as it comes, for the golden app; ../app is built by Vite from a project of its own.
import { build as viteBuild } from "vite";
import { source } from "./folder.mjs";

/** The page names the web manifest, and Vite follows. */
export const bringsManifest = true;

export async function build({ out, sourceMaps, base = "/", chunkImportMap = false, characters = 8 }) {
  const name = `assets/[name]-[hash:${characters}]`;
  const names = { entryFileNames: `${name}.js`, chunkFileNames: `${name}.js`, assetFileNames: `${name}[extname]` };
  const output = characters === 8 ? {} : names;
  await viteBuild({
    root: source(""),
    base,
    configFile: false,
    logLevel: "warn",
    publicDir: false,
    build: {
      outDir: out,
      emptyOutDir: true,
      sourcemap: sourceMaps,
      chunkImportMap,
      assetsInlineLimit: 0,
      rolldownOptions: { output },
    },
    worker: { format: "es", rolldownOptions: { output } },
  });
}
