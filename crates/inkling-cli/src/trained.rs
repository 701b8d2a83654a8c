//! A network from a file: from a run, or from weights.

use std::path::{Path, PathBuf};

use clap::ArgMatches;
use inkling_core::{
    data::synthetic,
    image::DataShape,
    network::Network,
    settings::{DatasetName, Settings},
    summary::SavedRun,
};
use inkling_formats::{
    run::{RunError, is_packed},
    weights,
};

use crate::{error::CliError, run_file};

/// A network from a file.
pub struct Trained {
    /// The network.
    pub net: Network,
    /// Its weights, one after another in the order of [`Network::parameters`].
    pub weights: Vec<f32>,
    /// Settings of its run; those that a file of weights does not have are the defaults.
    pub settings: Settings,
    /// Its run; `None` for a file of weights.
    pub run: Option<SavedRun>,
}

impl Trained {
    /// The network in the file that the options name.
    pub fn open(matches: &ArgMatches) -> Result<Self, CliError> {
        let path = matches.get_one::<PathBuf>("file").cloned().unwrap_or_default();
        let contents = run_file::contents(&path)?;
        if is_packed(&contents) {
            return Trained::of_run(&path, run_file::parse(&path, &contents)?);
        }
        let mut settings = Settings::default();
        for key in ["dataset", "net"] {
            if let Some(text) = matches.get_one::<String>(key) {
                settings.set(key, text)?;
            }
        }
        let net = match settings.dataset {
            DatasetName::Own => weights::described(&contents).ok_or_else(|| {
                CliError::Usage("this file does not say what your own images look like; use the run file".into())
            })?,
            drawn => settings.network(drawn.shape(None))?,
        };
        let opened = weights::open(&net, &contents).map_err(|source| CliError::Weights { path, source });
        opened.and_then(|(net, weights)| {
            settings.set("net", &net.to_string())?;
            Ok(Trained { net, weights, settings, run: None })
        })
    }

    fn of_run(path: &Path, run: SavedRun) -> Result<Self, CliError> {
        let settings = run.settings.clone();
        let net = settings.network(run.data)?;
        let weights = run.checkpoint.trainer.first(net.count());
        if weights.len() != net.count() {
            let source = RunError::Shape("it has too few weights for its network".into());
            return Err(CliError::Run { path: path.into(), source });
        }
        Ok(Trained { net, weights, settings, run: Some(run) })
    }

    /// What the network was trained on.
    pub fn data(&self) -> DataShape {
        self.net.data()
    }

    /// The name of a class: one of `given`, or of its data set, or its number.
    pub fn class(&self, class: usize, given: &[String]) -> String {
        let names = synthetic::names(self.settings.dataset);
        let name = given.get(class).or(names.get(class)).filter(|name| !name.is_empty());
        name.cloned().unwrap_or_else(|| class.to_string())
    }
}
