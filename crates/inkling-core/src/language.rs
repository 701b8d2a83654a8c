//! The language that the page speaks.
//!
//! The English texts are in the code, next to where they are shown; [`say!`](crate::say) looks each up in the table of another language,
//! as gettext does. `make messages` collects them in www/messages/en.json, which a translator copies (docs/languages.md).

use std::{
    collections::HashMap,
    fmt::{Display, Write},
    sync::OnceLock,
};

static TABLE: OnceLock<HashMap<String, String>> = OnceLock::new();

/// Translates every text from now on by this table, from English. The first table stays.
pub fn set_table(table: HashMap<String, String>) {
    let _ = TABLE.set(table);
}

/// `english` in the visitor's language; what the table lacks stays English. For texts that are not literals where they are shown: those
/// of constants, and those that come from a worker or a record.
pub fn translate(english: &str) -> &str {
    TABLE.get().and_then(|table| table.get(english)).map_or(english, String::as_str)
}

/// `english` in the visitor's language, with these values in place of each `{}`. A translation that needs another order
/// numbers them: `{1} of {0}`.
pub fn fill(english: &'static str, values: &[&dyn Display]) -> String {
    let (mut words, mut rest) = (String::new(), translate(english));
    let mut in_order = 0..;
    while let Some((before, (place, after))) = rest.split_once('{').and_then(|(b, a)| Some((b, a.split_once('}')?))) {
        words += before;
        let place = place.parse().ok().or_else(|| in_order.next()).unwrap_or_default();
        if let Some(value) = values.get(place) {
            // Writing into a string can't fail.
            let _ = write!(words, "{value}");
        }
        rest = after;
    }
    words + rest
}

/// A text in the visitor's language: `say!("Train")` is a `&'static str`, and `say!("{} of {}", some, all)` a `String`.
#[macro_export]
macro_rules! say {
    ($english:literal) => {
        $crate::language::translate($english)
    };
    ($english:literal, $($value:expr),+ $(,)?) => {
        $crate::language::fill($english, &[$(&$value as &dyn ::std::fmt::Display),+])
    };
}

/// Marks a text in a constant for the table; [`language::translate`](crate::language::translate) translates it where it is shown.
#[macro_export]
macro_rules! message {
    ($english:literal) => {
        $english
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_take_the_places_that_a_translation_gives_them() {
        assert_eq!(say!("{} of {}: {}", 1, 2, "x"), "1 of 2: x");
        assert_eq!(say!("nothing { here"), "nothing { here");
        let table = [("{} of {} images", "von {1} Bildern {0}"), ("Train", "Trainieren")];
        set_table(table.map(|(english, german)| (english.into(), german.into())).into());
        assert_eq!(say!("{} of {} images", 3, 40), "von 40 Bildern 3");
        assert_eq!([say!("Train"), say!("Pause")], ["Trainieren", "Pause"]);
    }
}
