//! The settings, the backend and the formats that the options ask for.

use clap::ArgMatches;
use inkling_core::{
    protocol::{Format, Language, Look},
    settings::{BackendChoice, FIELDS, Settings},
};

use crate::{backend::Choice, error::CliError};

/// The name of a format of weights.
pub fn format_key(format: Format) -> &'static str {
    match format {
        Format::Safetensors => "safetensors",
        Format::Burnpack => "burnpack",
        Format::Onnx => "onnx",
    }
}

/// The name of a framework.
pub fn language_key(language: Language) -> &'static str {
    match language {
        Language::Keras => "keras",
        Language::PyTorch => "pytorch",
        Language::Burn => "burn",
    }
}

/// What `export` writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// Weights.
    Weights(Format),
    /// A program.
    Code(Language),
}

/// What the option `--format` asks for.
pub fn written(matches: &ArgMatches) -> Option<Written> {
    let key = matches.get_one::<String>("format")?;
    let format = Format::ALL.into_iter().find(|&format| format_key(format) == key).map(Written::Weights);
    format.or_else(|| Language::ALL.into_iter().find(|&language| language_key(language) == key).map(Written::Code))
}

/// What pictures become, by the options of `train`.
pub fn look_of(matches: &ArgMatches) -> Look {
    let side = matches.get_one("side").copied().unwrap_or_default();
    Look { side, colour: !matches.get_flag("gray") }
}

/// The settings that the options ask for: first those of a link, then of a preset, then each by itself.
pub fn settings(matches: &ArgMatches) -> Result<Settings, CliError> {
    let mut settings = Settings::default();
    let mut apply = |query: &str| settings.apply(query).into_iter().next().map_or(Ok(()), Err);
    // Not every command has these two options, nor an option for each setting.
    if let Ok(Some(link)) = matches.try_get_one::<String>("link") {
        let query = link.split_once('?').map_or(&link[..], |parts| parts.1);
        apply(query.split('#').next().unwrap_or_default())?;
    }
    if let Ok(Some(preset)) = matches.try_get_one::<String>("preset") {
        apply(&format!("preset={preset}"))?;
    }
    for field in FIELDS {
        if let Ok(Some(text)) = matches.try_get_one::<String>(field.key) {
            // The page has no CUDA: where it resumes the run, it chooses for itself.
            let text = if field.key == "backend" && text == Choice::CUDA { BackendChoice::Auto.key() } else { text };
            settings.set(field.key, text)?;
        }
    }
    Ok(settings)
}

/// The backend that the options ask for.
pub fn backend_choice(matches: &ArgMatches) -> Result<Choice, CliError> {
    if matches.get_one::<String>("backend").is_some_and(|text| text == Choice::CUDA) {
        return Ok(Choice::Cuda);
    }
    Ok(Choice::Shared(settings(matches)?.backend))
}

#[cfg(test)]
mod tests {
    use clap::error::ErrorKind;
    use inkling_core::settings::Rule;

    use super::*;
    use crate::cli::command;

    fn parsed(args: &[&str]) -> Result<Settings, CliError> {
        let matches = command().try_get_matches_from([&["inkling", "train"], args].concat()).unwrap();
        settings(matches.subcommand().unwrap().1)
    }

    #[test]
    fn every_setting_is_an_option() {
        let usual = Settings::default();
        for field in FIELDS {
            let before = usual.get(field.key);
            let other = match field.rule {
                Rule::OneOf(names) => names.iter().map(|name| name.0.to_string()).find(|name| *name != before).unwrap(),
                Rule::Switch => if before == "1" { "0" } else { "1" }.into(),
                Rule::Layers => "dense 8".into(),
                Rule::Whole(low, high) | Rule::AllOr(low, high) => {
                    if before == low.to_string() { high } else { low }.to_string()
                }
                Rule::Number(low, high) => if before == low.to_string() { high } else { low }.to_string(),
            };
            let found = parsed(&[&format!("--{}={other}", field.key.replace('_', "-"))]).unwrap();
            assert_eq!(found.get(field.key), other, "{}", field.key);
            assert!(FIELDS.iter().all(|other| other.key == field.key || found.get(other.key) == usual.get(other.key)));
        }
    }

    #[test]
    fn options_change_a_preset_which_changes_a_link() {
        let link = "https://example.org/inkling/?epochs=9&seed=5&images=600#part";
        let found = parsed(&["--preset", "fast", "--link", link, "--lr", "0.001", "--shift-x", "0.2"]).unwrap();
        assert_eq!((found.epochs, found.seed, found.images), (1, 5, 600));
        assert_eq!((found.lr, found.augmentation.shift_x, found.smoothing), (0.001, 0.2, 0.1));
    }

    #[test]
    fn the_command_computes_with_cuda_which_the_page_does_not_know() {
        let choice = |args: &[&str]| {
            let matches = command().try_get_matches_from([&["inkling"], args].concat())?;
            backend_choice(matches.subcommand().unwrap().1).map_err(|error| clap::Error::raw(ErrorKind::Io, error))
        };
        let link = "?backend=webgpu&epochs=2";
        assert_eq!(choice(&["train", "--link", link, "--backend", "cuda"]).unwrap(), Choice::Cuda);
        assert_eq!(choice(&["train", "--link", link]).unwrap(), Choice::Shared(BackendChoice::Webgpu));
        assert_eq!(choice(&["resume", "run.json.gz", "--backend", "cpu"]).unwrap(), Choice::Shared(BackendChoice::Cpu));
        assert_eq!(choice(&["test", "run.json.gz"]).unwrap(), Choice::Shared(BackendChoice::Auto));
        assert!(
            choice(&["train", "--backend", "remote"])
                .unwrap_err()
                .to_string()
                .contains("auto, webgpu, cpu, ndarray, cuda")
        );
        let kept = parsed(&["--link", link, "--backend", "cuda"]).unwrap();
        assert_eq!((kept.backend, kept.epochs), (BackendChoice::Auto, 2));
    }

    #[test]
    fn a_wrong_value_names_its_setting() {
        let error = parsed(&["--epochs", "0"]).unwrap_err();
        assert_eq!(error.to_string(), "Epochs must be a whole number from 1 to 100; it is \"0\".");
        assert!(parsed(&["--link", "?batch=no"]).unwrap_err().to_string().starts_with("Batch size must be"));
    }
}
