//! Gives every build a name made from what is in it, so that a page never talks to a worker of another build.

use std::{
    collections::hash_map::DefaultHasher,
    env, fs,
    hash::{Hash, Hasher},
    io,
    path::Path,
};

fn main() -> io::Result<()> {
    let mut hasher = DefaultHasher::new();
    for place in ["src", "Cargo.toml", "Cargo.lock", ".cargo/config.toml"] {
        println!("cargo::rerun-if-changed={place}");
        hash(Path::new(place), &mut hasher)?;
    }
    let version = env::var("CARGO_PKG_VERSION").unwrap_or_default();
    env::var("PROFILE").unwrap_or_default().hash(&mut hasher);
    println!("cargo::rustc-env=INKLING_BUILD={version}-{:016x}", hasher.finish());
    if env::var("CARGO_CFG_TARGET_ARCH").is_ok_and(|arch| arch == "wasm32") {
        // wasm-bindgen reads there what the module may use; `strip` would take it along with the names.
        println!("cargo::rustc-link-arg=--keep-section=target_features");
    }
    Ok(())
}

fn hash(place: &Path, hasher: &mut DefaultHasher) -> io::Result<()> {
    if place.is_dir() {
        let mut entries: Vec<_> = fs::read_dir(place)?.collect::<Result<_, _>>()?;
        entries.sort_by_key(fs::DirEntry::file_name);
        entries.iter().try_for_each(|entry| hash(&entry.path(), hasher))
    } else {
        place.hash(hasher);
        fs::read(place).unwrap_or_default().hash(hasher);
        Ok(())
    }
}
