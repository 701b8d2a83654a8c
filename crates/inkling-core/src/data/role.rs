//! What a set of images is for.

/// What a set of images is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// To train with.
    Train,
    /// To choose settings by.
    Validation,
    /// To measure with, in the end.
    Test,
}

impl Role {
    /// What the words of a name say.
    pub fn of(name: &str) -> Self {
        let name = name.to_lowercase();
        let mut words = name.split(|letter: char| !letter.is_alphanumeric());
        if words.clone().any(|word| word.starts_with("test") || word == "t10k") {
            Role::Test
        } else if words.any(|word| matches!(word, "val" | "valid" | "validation" | "dev")) {
            Role::Validation
        } else {
            Role::Train
        }
    }

    /// Whether a folder of this name says what its images are for, so that it can't be a class.
    pub fn is_named_by(folder: &str) -> bool {
        Role::of(folder) != Role::Train || folder.eq_ignore_ascii_case("train")
    }
}
