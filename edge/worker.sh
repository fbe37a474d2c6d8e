#!/bin/sh
# Builds the Worker: one JavaScript module and one Wasm module, the same bytes in whatever folder this is done.
#
#   edge/worker.sh FOLDER [FEATURES]
#
# Needs what `make worker` sets up: the wasm32 target, .tools/bin/wasm-bindgen, node_modules/.bin/wasm-opt.
set -eu
cd "$(dirname "$0")/.."
out=$1
features=${2-}
work=$out/work
mkdir -p "$work"

# Panic messages name source files: they begin at the project, not at somebody's home.
cargo_home=${CARGO_HOME:-$HOME/.cargo}
sysroot=$(rustc --print sysroot)
export CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS="\
--remap-path-prefix=$PWD=. --remap-path-prefix=$cargo_home/registry/src=crates \
--remap-path-prefix=$sysroot=rust"
cargo build --quiet --locked --profile edge --target wasm32-unknown-unknown \
    --package rimward-edge --lib --features "$features"
cp "${CARGO_TARGET_DIR:-target}/wasm32-unknown-unknown/edge/rimward_edge.wasm" "$work/compiled.wasm"

.tools/bin/wasm-bindgen --target no-modules --no-typescript --out-dir "$work" --out-name glue "$work/compiled.wasm"
# A function with one caller stays one unless it is tiny: what is made of many has many locals, with numbers that no compression
# finds again, and the platform compiles what is called, function by function.
node_modules/.bin/wasm-opt -Oz --one-caller-inline-max-function-size=10 --enable-bulk-memory --enable-bulk-memory-opt --enable-multivalue \
    --enable-mutable-globals --enable-nontrapping-float-to-int --enable-reference-types --enable-sign-ext \
    --strip-debug --strip-producers --strip-target-features "$work/glue_bg.wasm" -o "$work/rimward.wasm"

# Strings cross the border by our own function.
node -e '
const { readFileSync } = require("fs");
const [glue, ours] = process.argv.slice(1).map((path) => readFileSync(path, "utf8"));
const parts = glue.split(/^    function passStringToWasm0\(arg, malloc, realloc\) \{\n[^]*?^    \}\n/m);
if (parts.length !== 2) {
    console.error("error: the text of wasm-bindgen has no function `passStringToWasm0` as it was: see edge/shim/strings.js");
    process.exit(1);
}
process.stdout.write(parts.join(ours));' "$work/glue.js" edge/shim/strings.js > "$work/strings.js"

# The glue lies in a function: each call of it is an own closure, and so an own instance.
{
    echo 'import { DurableObject } from "cloudflare:workers";'
    echo 'import wasm from "./rimward.wasm";'
    cat edge/shim/body.js edge/shim/recording.js edge/shim/store.js edge/shim/platform.js
    echo 'function glue(shim) {'
    cat "$work/strings.js"
    echo 'return wasm_bindgen;'
    echo '}'
    cat edge/shim/worker.js edge/shim/log.js edge/shim/shield.js edge/shim/metrics.js edge/shim/limits.js edge/shim/health.js
} > "$work/rimward.js"

# What the module asks of its host is what wasm-bindgen's glue gives: no system interface, no `env`.
node -e '
const { readFileSync } = require("fs");
const imports = WebAssembly.Module.imports(new WebAssembly.Module(readFileSync(process.argv[1])));
const foreign = imports.filter(({ module }) => module !== "./glue_bg.js");
if (foreign.length > 0) {
    console.error("error: the Worker imports what no platform gives it:", foreign);
    process.exit(1);
}' "$work/rimward.wasm"

# Both at once, and only if all went well.
mv "$work/rimward.js" "$work/rimward.wasm" "$out/"
rm -r "$work"
