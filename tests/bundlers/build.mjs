// Builds the small app: `node build.mjs VARIANT --out DIR [--source-maps] [--golden]`; without a variant it lists them.
import { cpSync, existsSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { exclusively } from "./configs/exclusive.mjs";
import { folder, source, statics, take } from "./configs/folder.mjs";

/** Variant: the module that knows its bundler, and what it is told. */
const variants = {
  webpack: ["webpack", { names: "contenthash" }],
  "webpack-auto": ["webpack", { names: "contenthash", publicPath: "auto" }],
  "webpack-chunkhash": ["webpack", { names: "chunkhash" }],
  "webpack-fullhash": ["webpack", { names: "fullhash" }],
  "webpack-default": ["webpack", { names: "default" }],
  rspack: ["rspack", {}],
  "rspack-esm": ["rspack", { modules: true }],
  "rspack-sri": ["rspack", { integrity: true }],
  esbuild: ["esbuild", { hashedEntries: true }],
  "esbuild-default": ["esbuild", {}],
  parcel: ["parcel", {}],
  "parcel-unhoisted": ["parcel", { scopeHoisting: false }],
  "parcel-legacy": ["parcel", { browsers: ["chrome 60"] }],
  "vite-pwa": ["vite-pwa", {}],
  vite: ["vite", {}],
  "vite-relative": ["vite", { base: "./" }],
  "vite-import-map": ["vite", { chunkImportMap: true }],
  "vite-twelve": ["vite", { characters: 12 }],
};

/** Bundlers that do not take the web manifest and its icon by themselves get them copied. */
const manifestFiles = ["manifest.webmanifest", "icon.png"];

function fail(message) {
  console.error(`error: ${message}`);
  process.exit(2);
}

function optionsOf(args) {
  try {
    const { values, positionals } = parseArgs({
      args,
      allowPositionals: true,
      options: {
        out: { type: "string" },
        "source-maps": { type: "boolean", default: false },
        golden: { type: "boolean", default: false },
      },
    });
    const { out, "source-maps": sourceMaps, golden } = values;
    return { variant: positionals[0], out, sourceMaps, golden, rest: positionals.slice(1) };
  } catch (error) {
    return fail(error.message);
  }
}

/** The folder that is asked for may be new, empty, or hold an earlier build; nothing else is ever overwritten. */
function check(out) {
  if (existsSync(out) && readdirSync(out).length > 0 && !existsSync(join(out, "index.html"))) {
    fail(`cannot build into \`${out}\`: it is not empty and holds no earlier build\nhint: name an empty folder`);
  }
}

function empty(path) {
  rmSync(path, { recursive: true, force: true });
  mkdirSync(path, { recursive: true });
}

/** Builds in a place that only depends on what is built: source maps, and some bundlers' hashes, tell where that was. */
async function buildAt(place, { build, bringsManifest, bringsStatic }, told) {
  empty(place);
  await build({ out: place, ...told });
  if (!bringsStatic) cpSync(statics(), place, { recursive: true });
  if (!bringsManifest) for (const file of manifestFiles) cpSync(source(file), join(place, file));
}

const { variant, out, sourceMaps, golden, rest } = optionsOf(process.argv.slice(2));
if (variant === undefined) {
  console.log(Object.keys(variants).join("\n"));
  process.exit(0);
}
if (!Object.hasOwn(variants, variant)) fail(`there is no variant \`${variant}\`\nhint: one of ${Object.keys(variants).join(", ")}`);
if (out === undefined || rest.length > 0) fail(`usage: node build.mjs ${variant} --out DIR [--source-maps]`);

const [bundler, told] = variants[variant];
const target = resolve(out);
check(target);
process.env.NODE_ENV = "production";
const place = join(folder, "out", [golden && "golden", variant, sourceMaps && "maps"].filter(Boolean).join("-"));
if (golden) take("golden");
mkdirSync(join(folder, "out"), { recursive: true });
try {
  const module = await import(`./configs/${bundler}.mjs`);
  await exclusively(`${place}.lock`, async () => {
    await buildAt(place, module, { sourceMaps, ...told });
    empty(target);
    cpSync(place, target, { recursive: true });
  });
} catch (error) {
  console.error(`error: ${variant} did not build: ${error.stack ?? error}`);
  process.exit(1);
}
