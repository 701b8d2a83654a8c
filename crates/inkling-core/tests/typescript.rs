//! The settings of the npm package are the settings of the page.

use std::{env, fs};

use inkling_core::settings::{FIELDS, Rule, Settings};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../npm/src/settings.ts");

/// `npm/src/settings.ts`, from the table of settings.
fn typescript() -> String {
    let defaults = Settings::default();
    let mut out = String::from(
        "// Made from crates/inkling-core/src/settings/field.rs. After a change there: `UPDATE=1 cargo test -p inkling-core --test typescript`.\n\n\
         /** The settings of a run, by the names that they have in an address. */\nexport interface Settings {\n",
    );
    let mut values = String::new();
    for field in FIELDS {
        let text = defaults.get(field.key);
        let (kind, value) = match field.rule {
            Rule::OneOf(names) => {
                let names: Vec<String> = names.iter().map(|name| format!("\"{}\"", name.0)).collect();
                (names.join(" | "), format!("\"{text}\""))
            }
            Rule::Whole(..) | Rule::AllOr(..) | Rule::Number(..) => ("number".into(), text),
            Rule::Switch => ("boolean".into(), (text == "1").to_string()),
            Rule::Layers => ("string".into(), format!("\"{text}\"")),
        };
        let rule = match field.rule {
            Rule::OneOf(_) | Rule::Switch | Rule::Layers => String::new(),
            rule => format!(" It is {rule}."),
        };
        out += &format!("  /** {}{rule} */\n  {}: {kind};\n", field.help, field.key);
        values += &format!("  {}: {value},\n", field.key);
    }
    out += "}\n\n/** What a setting is if you do not give it. */\nexport const DEFAULTS: Settings = {\n";
    out += &values;
    out += "};\n";
    out
}

#[test]
fn the_npm_package_has_the_settings_of_the_page() {
    let expected = typescript();
    if env::var_os("UPDATE").is_some() {
        fs::write(FILE, &expected).unwrap();
    }
    let found = fs::read_to_string(FILE).unwrap();
    assert!(
        found == expected,
        "npm/src/settings.ts is out of date: run `UPDATE=1 cargo test -p inkling-core --test typescript`"
    );
}
