//! Puts the built Worker into the program, where `make build` has made it: `RIMWARD_WORKER` names its folder.
//!
//! Without the variable the program is built without a Worker, so that `cargo check` and `cargo test` need no
//! WebAssembly tools; it then says so when a Worker is needed.

use std::path::PathBuf;

fn main() {
    println!("cargo::rustc-check-cfg=cfg(rimward_worker)");
    println!("cargo::rerun-if-env-changed=RIMWARD_WORKER");
    let Some(folder) = std::env::var_os("RIMWARD_WORKER").filter(|folder| !folder.is_empty()).map(PathBuf::from) else {
        return;
    };
    for file in ["rimward.js", "rimward.wasm"] {
        let path = folder.join(file);
        println!("cargo::rerun-if-changed={}", path.display());
        if !path.is_file() {
            println!(
                "cargo::error=RIMWARD_WORKER names `{}`, which has no `{file}`: run `make worker`",
                folder.display()
            );
        }
    }
    println!("cargo::rustc-cfg=rimward_worker");
    println!("cargo::rustc-env=RIMWARD_WORKER_FOLDER={}", folder.display());
}
