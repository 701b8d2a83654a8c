//! Names every build by its content, so that a page never talks to a worker of another build, and the browser never
//! keeps an old worker for a new page.

use std::{
    collections::hash_map::DefaultHasher,
    env, fs,
    hash::{Hash, Hasher},
    io,
    path::Path,
    process::Command,
};

/// What the workers, their loader and the page are built from. Style sheets and icons are left out.
const INPUTS: [&str; 11] = [
    ".cargo/config.toml",
    "Cargo.lock",
    "Cargo.toml",
    "Trunk.toml",
    "build.rs",
    "crates",
    "index.html",
    "scripts/rustc-relaxed",
    "scripts/split",
    "src",
    "www",
];

fn main() -> io::Result<()> {
    for place in INPUTS.iter().filter(|place| **place != "www") {
        println!("cargo::rerun-if-changed={place}");
    }
    // File by file: a change to a style sheet compiles nothing.
    for entry in fs::read_dir("www")? {
        let path = entry?.path();
        if !is_style(&path) {
            println!("cargo::rerun-if-changed={}", path.display());
        }
    }
    let variable = |name: &str| env::var(name).unwrap_or_default();
    let tools = [version(&variable("RUSTC"), "-vV"), version("wasm-bindgen", "--version"), variable("PROFILE")];
    let id = identity(Path::new("."), &tools)?;
    println!("cargo::rustc-env=INKLING_BUILD={}-{id:016x}", variable("CARGO_PKG_VERSION"));
    if variable("CARGO_CFG_TARGET_ARCH") == "wasm32" {
        // wasm-bindgen reads in this section which features the module may use; `strip` would remove it with the names.
        println!("cargo::rustc-link-arg=--keep-section=target_features");
        // scripts/split finds out with these what belongs to the inspectors.
        println!("cargo::rustc-link-arg-bin=page=--emit-relocs");
    }
    Ok(())
}

/// A number made from the content of [`INPUTS`] below `root` and from the tools that build them.
///
/// # Errors
/// A file that can't be read.
pub fn identity(root: &Path, tools: &[String]) -> io::Result<u64> {
    let mut hasher = DefaultHasher::new();
    tools.hash(&mut hasher);
    for place in INPUTS {
        hash(root, Path::new(place), &mut hasher)?;
    }
    Ok(hasher.finish())
}

fn hash(root: &Path, place: &Path, hasher: &mut DefaultHasher) -> io::Result<()> {
    let path = root.join(place);
    if path.is_dir() {
        let mut names: Vec<_> =
            fs::read_dir(&path)?.map(|entry| entry.map(|entry| entry.file_name())).collect::<Result<_, _>>()?;
        names.sort();
        names.iter().try_for_each(|name| hash(root, &place.join(name), hasher))
    } else if is_style(&path) {
        Ok(())
    } else {
        place.hash(hasher);
        fs::read(&path)?.hash(hasher);
        Ok(())
    }
}

/// Whether a file only affects what the page looks like.
fn is_style(path: &Path) -> bool {
    path.extension().is_some_and(|end| end == "css" || end == "svg" || end == "png")
}

/// The version that a tool reports; empty if it is not installed.
fn version(tool: &str, flag: &str) -> String {
    let output = Command::new(tool).arg(flag).output();
    output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default()
}
