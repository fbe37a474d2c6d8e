// Parcel 2: from the page, for browsers that are stated; package.json lets it read the `exports` of packages, which react-router needs.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createRequire } from "node:module";
import { Parcel } from "@parcel/core";
import { source } from "./folder.mjs";

/** The page names the web manifest, and Parcel follows. */
export const bringsManifest = true;

const require = createRequire(import.meta.url);

export async function build({ out, sourceMaps, scopeHoisting = true, browsers = ["last 2 chrome versions"] }) {
  // A cache could answer with what another variant made.
  const cacheDir = mkdtempSync(join(tmpdir(), "parcel-"));
  try {
    await new Parcel({
      entries: source("index.html"),
      defaultConfig: require.resolve("@parcel/config-default"),
      mode: "production",
      shouldDisableCache: true,
      shouldContentHash: true,
      cacheDir,
      shouldAutoInstall: false,
      defaultTargetOptions: {
        distDir: out,
        publicUrl: "/",
        engines: { browsers },
        sourceMaps,
        shouldOptimize: true,
        shouldScopeHoist: scopeHoisting,
      },
    }).run();
  } catch (error) {
    throw new Error((error.diagnostics ?? [error]).map(describe).join("\n"));
  } finally {
    rmSync(cacheDir, { recursive: true, force: true });
  }
}

function describe({ message, codeFrames, hints }) {
  return [message, ...(codeFrames ?? []).map(({ filePath }) => `  in ${filePath}`), ...(hints ?? [])].join("\n");
}
