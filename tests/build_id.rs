//! The build's identity changes with everything that a browser caches under it.
#![allow(clippy::unwrap_used)] // a failed unwrap shows where the test failed
#![cfg(not(target_arch = "wasm32"))]

#[allow(dead_code)]
#[path = "../build.rs"]
mod build;

use std::{env, fs, path::Path};

#[test]
fn the_build_id_changes_with_the_loader_the_page_the_crates_and_the_tools_but_not_with_a_style_sheet() {
    let root = env::temp_dir().join(format!("inkling-build-id-{}", std::process::id()));
    let write = |path: &str, content: &str| {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    };
    let files = [
        ".cargo/config.toml",
        "Cargo.lock",
        "Cargo.toml",
        "Trunk.toml",
        "build.rs",
        "crates/a/src/lib.rs",
        "index.html",
        "scripts/rustc-relaxed",
        "scripts/split",
        "src/lib.rs",
        "www/worker-loader.js",
    ];
    files.iter().for_each(|file| write(file, "before"));
    write("www/style.css", "before");
    let tools = |rustc: &str, bindgen: &str| [rustc.to_string(), bindgen.to_string()];
    let id = |tools: &[String]| build::identity(Path::new(&root), tools).unwrap();
    let usual = tools("rustc 1", "wasm-bindgen 1");
    let before = id(&usual);
    assert_eq!(before, id(&usual));
    for file in files {
        write(file, "after");
        assert_ne!(before, id(&usual), "{file} does not affect the build id");
        write(file, "before");
    }
    assert_ne!(before, id(&tools("rustc 2", "wasm-bindgen 1")));
    assert_ne!(before, id(&tools("rustc 1", "wasm-bindgen 2")));
    write("www/style.css", "after");
    assert_eq!(before, id(&usual));
    fs::remove_dir_all(root).unwrap();
}
