//! The command line. The settings' options come from the page's table of settings.

use std::{fs, io, path::PathBuf, process::ExitCode};

use clap::{Arg, ArgAction, ArgMatches, Command, ValueHint, builder::PossibleValuesParser, value_parser};
use clap_complete::Shell;
use inkling_core::{
    protocol::{Format, Language},
    settings::{BackendChoice, FIELDS, Field, PRESETS, Rule, Settings},
    summary::SavedRun,
};

use crate::{
    backend::Choice,
    error::CliError,
    options::{format_key, language_key},
};

/// The whole command.
pub fn command() -> Command {
    Command::new("inkling")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Trains Inkling's networks without a browser. Runs go back and forth between the page and this command.")
        .after_help("Exit codes: 0 done, 2 wrong options, 3 a file or the data can't be used, 4 the run failed, 130 interrupted and saved.")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommands([
            train(),
            resume(),
            test(),
            predict(),
            export(),
            info(),
            speed(),
            #[cfg(feature = "serve")]
            serve(),
            completions_command(),
            man_command(),
        ])
}

fn train() -> Command {
    Command::new("train")
        .args_override_self(true)
        .about("Trains a network and keeps the run in a file, which `resume` and the page open")
        .args([output().default_value(SavedRun::FILE_NAME).help("Where to keep the run"), force()])
        .args(recipe())
        .args(data())
        .args(look())
        .args(devices())
        .args(reporting())
        .args(FIELDS.iter().map(setting))
}

fn resume() -> Command {
    Command::new("resume")
        .about("Goes on with a run from the page or from `train`, and keeps it in its file")
        .args([
            run_file("The run file"),
            output().help("Where to keep the run; by default, in its file"),
            force(),
            Arg::new("exact").long("exact").action(ArgAction::SetTrue).conflicts_with("backend").help(
                "Continue bit for bit, as if there had been no break: with as many workers, and the same rounding",
            ),
            backend(),
        ])
        .args(data())
        .args(devices().map(|devices| devices.conflicts_with("exact")))
        .args(reporting())
}

fn test() -> Command {
    Command::new("test")
        .about("Scores a network on the test set")
        .args([network_file(), net(), dataset(), backend()])
        .args(data())
        .args([json()])
}

fn predict() -> Command {
    Command::new("predict").about("Says what a network sees in pictures").args([
        network_file(),
        Arg::new("pictures")
            .value_name("PICTURE")
            .required(true)
            .num_args(1..)
            .value_parser(value_parser!(PathBuf))
            .value_hint(ValueHint::FilePath)
            .help("PNG, JPEG or WebP files"),
        net(),
        dataset(),
        names(),
        json(),
    ])
}

fn export() -> Command {
    let formats = Format::ALL.map(format_key).into_iter().chain(Language::ALL.map(language_key));
    Command::new("export").about("Writes a network's weights, or a program that builds and trains it").args([
        network_file(),
        Arg::new("format")
            .long("format")
            .value_name("FORMAT")
            .required(true)
            .value_parser(PossibleValuesParser::new(formats))
            .help("A file of weights, or a program for a framework"),
        output().help("The file to write; by default, in this folder"),
        force(),
        net(),
        dataset(),
    ])
}

fn info() -> Command {
    Command::new("info").about("Says what is in a run file or a file of weights").args([
        network_file(),
        net(),
        dataset(),
        json(),
    ])
}

fn speed() -> Command {
    Command::new("speed")
        .args_override_self(true)
        .about("Measures how many images a second this machine trains with")
        .args([
            Arg::new("batches")
                .long("batches")
                .value_name("NUMBERS")
                .value_delimiter(',')
                .default_value("64,128,256,512,1024")
                .help("Batch sizes to measure, separated by commas"),
            Arg::new("seconds")
                .long("seconds")
                .value_name("SECONDS")
                .default_value("3")
                .value_parser(value_parser!(u32).range(1..))
                .help("How long to measure each"),
        ])
        .args(recipe())
        .args(data())
        .args(look())
        .args([json()])
        .args(FIELDS.iter().filter(|field| field.key != "batch").map(setting))
}

#[cfg(feature = "serve")]
fn serve() -> Command {
    Command::new("serve").about("Lets tabs train on this machine: prints the link that they open").args([
        Arg::new("listen")
            .long("listen")
            .value_name("ADDRESS")
            .default_value("127.0.0.1:3340")
            .value_parser(value_parser!(std::net::SocketAddr))
            .help("Where to listen; 0.0.0.0:3340 lets other machines in"),
        Arg::new("address")
            .long("address")
            .value_name("ADDRESS")
            .help("How browsers reach it, such as https://relay.example.org, without a path [default: http and --listen]"),
        Arg::new("page")
            .long("page")
            .value_name("ADDRESS")
            .default_value("http://localhost:8080/")
            .value_hint(ValueHint::Url)
            .help("The page that the link opens; its site must have been built for servers"),
        Arg::new("key")
            .long("key")
            .value_name("FILE")
            .value_parser(value_parser!(PathBuf))
            .value_hint(ValueHint::FilePath)
            .help("The server's secret key, made if the file is not there: the link stays the same when the server starts again"),
        backend(),
        json(),
    ])
}

fn completions_command() -> Command {
    Command::new("completions")
        .about("Prints completions for a shell")
        .arg(Arg::new("shell").value_name("SHELL").required(true).value_parser(value_parser!(Shell)).help("The shell"))
}

fn man_command() -> Command {
    Command::new("man").about("Writes the manual pages into a folder").arg(
        Arg::new("folder")
            .value_name("FOLDER")
            .required(true)
            .value_parser(value_parser!(PathBuf))
            .value_hint(ValueHint::DirPath)
            .help("The folder"),
    )
}

/// The option of a setting: its key with dashes, and the page's own words.
fn setting(field: &Field) -> Arg {
    if field.key == "backend" {
        return backend().help_heading("Settings");
    }
    let usual = Settings::default().get(field.key);
    let arg = Arg::new(field.key)
        .long(field.key.replace('_', "-"))
        .alias(field.key)
        .help_heading("Settings")
        .help(format!("{} [default: {usual}]", field.help));
    match field.rule {
        Rule::OneOf(_) => arg.value_name("NAME").value_parser(values(field.key)),
        Rule::Switch => arg.value_name("0|1"),
        Rule::Layers => arg.value_name("LAYERS"),
        Rule::Whole(..) | Rule::AllOr(..) | Rule::Number(..) => arg.value_name("NUMBER").allow_negative_numbers(true),
    }
}

/// Options that stand for several settings.
fn recipe() -> [Arg; 2] {
    [
        Arg::new("preset")
            .long("preset")
            .value_name("NAME")
            .value_parser(PossibleValuesParser::new(PRESETS.map(|preset| preset.key)))
            .help("Settings that were found by measuring; other options change them"),
        Arg::new("link")
            .long("link")
            .value_name("ADDRESS")
            .help("The settings in an address of the page; other options change them"),
    ]
}

/// Options that say where the images are.
fn data() -> [Arg; 2] {
    [
        Arg::new("mnist")
            .long("mnist")
            .value_name("FOLDER")
            .env("MNIST_DIR")
            .default_value("data")
            .value_parser(value_parser!(PathBuf))
            .value_hint(ValueHint::DirPath)
            .help("The folder with the four files of MNIST"),
        Arg::new("data")
            .long("data")
            .value_name("FILE")
            .num_args(1..)
            .action(ArgAction::Append)
            .value_parser(value_parser!(PathBuf))
            .value_hint(ValueHint::AnyPath)
            .help("Your own images: IDX, NPZ, NPY, CSV or ZIP files, or a folder with a folder of pictures for each class"),
    ]
}

/// Options that say what pictures become. Later, the run knows.
fn look() -> [Arg; 2] {
    [
        Arg::new("side")
            .long("side")
            .value_name("PIXELS")
            .default_value("32")
            .value_parser(value_parser!(u32).range(8..=64))
            .help("Pictures become squares of this size"),
        Arg::new("gray").long("gray").action(ArgAction::SetTrue).help("Pictures become gray"),
    ]
}

/// The option that says how many devices share each batch, where this build can do that.
fn devices() -> Option<Arg> {
    cfg!(feature = "devices").then(|| {
        Arg::new("devices")
            .long("devices")
            .value_name("NUMBER")
            .value_parser(value_parser!(u32).range(1..=64))
            .help("Devices that share each batch; on the CPU, threads")
    })
}

/// Options that say what is printed.
fn reporting() -> [Arg; 2] {
    [
        json(),
        Arg::new("quiet")
            .long("quiet")
            .short('q')
            .action(ArgAction::SetTrue)
            .conflicts_with("json")
            .help("Print only the score"),
    ]
}

fn json() -> Arg {
    Arg::new("json").long("json").action(ArgAction::SetTrue).help("Print JSON, a line for each event")
}

fn output() -> Arg {
    Arg::new("output")
        .long("output")
        .short('o')
        .value_name("FILE")
        .value_parser(value_parser!(PathBuf))
        .value_hint(ValueHint::FilePath)
}

fn force() -> Arg {
    Arg::new("force").long("force").action(ArgAction::SetTrue).help("Overwrite the file")
}

fn run_file(help: &'static str) -> Arg {
    Arg::new("file")
        .value_name("FILE")
        .required(true)
        .value_parser(value_parser!(PathBuf))
        .value_hint(ValueHint::FilePath)
        .help(help)
}

fn network_file() -> Arg {
    run_file("A run file, or weights as safetensors or burnpack")
}

/// The network of a file that does not name it.
fn net() -> Arg {
    Arg::new("net").long("net").value_name("LAYERS").help("The network, if a file of weights does not name it")
}

/// What the network of a file of weights was trained on.
fn dataset() -> Arg {
    Arg::new("dataset")
        .long("dataset")
        .value_name("NAME")
        .value_parser(values("dataset"))
        .help("What the network in a file of weights was trained on [default: mnist]")
}

fn names() -> Arg {
    Arg::new("names")
        .long("names")
        .value_name("NAMES")
        .value_delimiter(',')
        .help("Names of the classes, separated by commas")
}

fn backend() -> Arg {
    let page = names_of("backend").iter().map(|name| name.0).filter(|&name| name != BackendChoice::Remote.key());
    let names: Vec<&str> = page.chain([Choice::CUDA]).collect();
    Arg::new("backend").long("backend").value_name("NAME").value_parser(PossibleValuesParser::new(names)).help(
        "What computes: a GPU by CUDA or WebGPU, if this inkling was built with them, or the CPU; auto takes the first that works \
         [default: auto]",
    )
}

/// The values of a setting that is one of a few words.
fn values(key: &str) -> PossibleValuesParser {
    PossibleValuesParser::new(names_of(key).iter().map(|name| name.0))
}

/// The values, and what the page's menu calls them.
fn names_of(key: &str) -> &'static [(&'static str, &'static str)] {
    match Field::of(key).map(|field| field.rule) {
        Some(Rule::OneOf(names)) => names,
        _ => &[],
    }
}

/// Prints completions.
pub fn completions(matches: &ArgMatches) -> Result<ExitCode, CliError> {
    if let Some(&shell) = matches.get_one::<Shell>("shell") {
        clap_complete::generate(shell, &mut command(), "inkling", &mut io::stdout());
    }
    Ok(ExitCode::SUCCESS)
}

/// Writes the manual pages.
pub fn man(matches: &ArgMatches) -> Result<ExitCode, CliError> {
    if let Some(folder) = matches.get_one::<PathBuf>("folder") {
        let failed = |source| CliError::Write { path: folder.clone(), source };
        fs::create_dir_all(folder).map_err(failed)?;
        clap_mangen::generate_to(command(), folder).map_err(failed)?;
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        command().debug_assert();
    }
}
