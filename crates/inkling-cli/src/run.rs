//! Runs: `train` and `resume`.

use std::{
    cell::RefCell,
    collections::VecDeque,
    mem,
    path::{Path, PathBuf},
    process::{ExitCode, exit},
    rc::Rc,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use clap::ArgMatches;
use inkling_core::{
    checkpoint::Rounding,
    protocol::{BackendInfo, Command, Envelope, Event, Look},
    settings::{DatasetName, Settings},
    summary::RunSummary,
};
use inkling_train::{device::Backend, session::Session};
use pollster::block_on;

use crate::{
    backend, data,
    error::{CliError, INTERRUPTED},
    exact::obstacle,
    options,
    report::Reporter,
    run_file,
};

/// A run's number: there is one in a process.
const RUN: u32 = 1;
/// Within an epoch, the run is written to its file this often.
const KEEP_AFTER: Duration = Duration::from_secs(60);

/// Set by Ctrl-C.
static INTERRUPT: AtomicBool = AtomicBool::new(false);

/// A session, and what has been heard from it.
pub struct Driver {
    /// The session.
    pub session: Session,
    /// What computes.
    pub info: BackendInfo,
    heard: Rc<RefCell<VecDeque<Envelope>>>,
    mnist: PathBuf,
    /// Why MNIST can't be used, once that is known.
    without_mnist: Option<String>,
}

impl Driver {
    /// A session on `backend`, with the images that the options name, as `look` says, and room for at least `workers`.
    pub fn new(backend: Backend, workers: usize, matches: &ArgMatches, look: Look) -> Result<Self, CliError> {
        let heard: Rc<RefCell<VecDeque<Envelope>>> = Rc::default();
        let sink = heard.clone();
        let info = backend.info.clone();
        let session = backend::session(backend, workers, move |envelope| sink.borrow_mut().push_back(envelope));
        let mnist = matches.get_one::<PathBuf>("mnist").cloned().unwrap_or_default();
        let mut driver = Driver { session, info, heard, mnist, without_mnist: None };
        if let Some((images, note)) = data::own(matches, look)? {
            eprintln!("inkling: {note}");
            driver.session.command(Command::UseData(images));
        }
        Ok(driver)
    }

    /// Does one unit of work. Returns what the session said, or `None` once there is nothing to do.
    pub fn work(&mut self) -> Option<Vec<Envelope>> {
        if self.session.wants_mnist() {
            let images = data::mnist(&self.mnist);
            self.without_mnist = images.as_ref().err().cloned();
            self.session.provide(images);
        }
        let works = block_on(self.session.work());
        let heard = mem::take(&mut *self.heard.borrow_mut());
        (works || !heard.is_empty()).then(|| heard.into())
    }

    /// The error for a run that failed for this reason.
    pub fn failure(&self, reason: String) -> CliError {
        self.without_mnist.clone().map_or(CliError::Failed(reason), CliError::Data)
    }
}

/// Trains a new run.
pub fn train(matches: &ArgMatches) -> Result<ExitCode, CliError> {
    let settings = settings(matches)?;
    let file = matches.get_one::<PathBuf>("output").cloned().unwrap_or_default();
    run_file::check_absent(&file, matches.get_flag("force"))?;
    let backend = backend::open(options::backend_choice(matches)?)?;
    let driver = driver(backend, 1, matches, options::look_of(matches))?;
    let summary = RunSummary::new(RUN, settings.clone(), driver.info.clone(), None);
    finish(driver, summary, Command::start(RUN, settings), &file, &reporter(matches))
}

/// The settings that the options ask for, with the data set that they name.
pub fn settings(matches: &ArgMatches) -> Result<Settings, CliError> {
    let mut settings = options::settings(matches)?;
    if matches.contains_id("data") {
        settings.dataset = DatasetName::Own;
    } else if settings.dataset == DatasetName::Own {
        return Err(CliError::Usage("your own images need --data with their files".into()));
    }
    Ok(settings)
}

/// Goes on with a run.
pub fn resume(matches: &ArgMatches) -> Result<ExitCode, CliError> {
    let from = matches.get_one::<PathBuf>("file").cloned().unwrap_or_default();
    let mut saved = run_file::read(&from)?;
    let reporter = reporter(matches);
    // One that ended before its test was done goes on with that.
    if saved.is_finished() && saved.test_accuracy().is_some() {
        reporter.warn("This run is finished; `inkling test` scores it again.");
        return Ok(ExitCode::SUCCESS);
    }
    let file = matches.get_one::<PathBuf>("output").cloned().unwrap_or_else(|| from.clone());
    if file != from {
        run_file::check_absent(&file, matches.get_flag("force"))?;
    }
    let exact = matches.get_flag("exact");
    let backend = match (exact, saved.checkpoint.rounding) {
        (true, Some(rounding)) => backend::cpu(rounding)?,
        (true, None) => backend::cpu(Rounding::Once)?,
        (false, _) => backend::open(options::backend_choice(matches)?)?,
    };
    if exact {
        let net = saved.settings.network(saved.data)?;
        if let Some(reason) = obstacle(&saved.settings, &net, &saved.checkpoint, backend.rounding()) {
            return Err(CliError::Usage(format!(
                "the run can't continue bit for bit: {reason}. Without --exact, it continues with small differences"
            )));
        }
    } else {
        saved.checkpoint.workers = None;
    }
    // As many workers as before, or as many as are fastest here.
    saved.settings.replicas = saved.checkpoint.workers.unwrap_or(0);
    data::check(matches, Some(&saved))?;
    let driver = driver(backend, saved.settings.replicas as usize, matches, data::look(saved.data))?;
    let start = Command::Start { run: RUN, settings: saved.settings.clone(), from: Some(saved.checkpoint.clone()) };
    let summary = RunSummary::restored(RUN, saved, driver.info.clone());
    finish(driver, summary, start, &file, &reporter)
}

/// A driver that trains on as many devices as the options ask for.
fn driver(backend: Backend, workers: usize, matches: &ArgMatches, look: Look) -> Result<Driver, CliError> {
    #[cfg(feature = "devices")]
    let (backend, devices) = match matches.get_one::<u32>("devices") {
        Some(&count) => backend.several(count as usize).map(|(backend, devices)| (backend, Some(devices)))?,
        None => (backend, None),
    };
    #[cfg_attr(not(feature = "devices"), allow(unused_mut))]
    let mut driver = Driver::new(backend, workers, matches, look)?;
    #[cfg(feature = "devices")]
    if let Some(devices) = devices {
        driver.session.use_devices(devices);
    }
    Ok(driver)
}

fn reporter(matches: &ArgMatches) -> Reporter {
    Reporter::of(matches.get_flag("json"), matches.get_flag("quiet"))
}

/// Starts and works until the run is over or interrupted. The run is kept in `file`.
fn finish(
    mut driver: Driver,
    mut summary: RunSummary,
    start: Command,
    file: &Path,
    reporter: &Reporter,
) -> Result<ExitCode, CliError> {
    watch_for_interrupts();
    run_file::check_writable(file)?;
    let mut keeper = Keeper { file, unkept: false, kept: false, epoch: 0, last: Instant::now() };
    let mut failure = None;
    driver.session.command(start);
    while let Some(heard) = driver.work() {
        let interrupted = INTERRUPT.load(Ordering::Relaxed);
        if interrupted {
            driver.session.checkpoint_after(Duration::ZERO); // after the next step
        }
        for envelope in heard {
            summary.apply(&envelope);
            reporter.event(&envelope.event);
            match envelope.event {
                Event::Failed(reason) => failure = Some(reason),
                Event::Test(_) => keeper.unkept = true,
                Event::Checkpoint(checkpoint) => {
                    keeper.unkept = true;
                    if interrupted {
                        keeper.keep(&summary, reporter)?;
                        return Ok(ExitCode::from(INTERRUPTED));
                    }
                    // A full disk must not end the run: it may have room again at the end.
                    if let Err(error) = keeper.keep_if_due(&summary, checkpoint.epoch) {
                        reporter.warn(&format!("{error}; the run goes on"));
                    }
                }
                _ => {}
            }
        }
    }
    keeper.keep(&summary, reporter)?;
    failure.map_or(Ok(ExitCode::SUCCESS), |reason| Err(driver.failure(reason)))
}

/// Lets the run end at Ctrl-C after the current step; at the second one, at once.
fn watch_for_interrupts() {
    // It fails only if there is a handler already.
    let _ = ctrlc::set_handler(|| {
        if INTERRUPT.swap(true, Ordering::Relaxed) {
            exit(INTERRUPTED.into());
        }
        eprintln!(
            "inkling: stopping and keeping the run after this step, or this validation; Ctrl-C again stops at once"
        );
    });
}

/// Keeps a run in its file.
struct Keeper<'a> {
    file: &'a Path,
    /// Whether the run has come further than its file.
    unkept: bool,
    /// Whether this process has written the file.
    kept: bool,
    /// Epoch of the checkpoint that was kept last.
    epoch: u32,
    last: Instant,
}

impl Keeper<'_> {
    /// Writes the run and says so, if there is anything new.
    fn keep(&mut self, summary: &RunSummary, reporter: &Reporter) -> Result<(), CliError> {
        if self.unkept {
            self.write(summary)?;
        }
        if self.kept {
            reporter.saved(&self.file.display().to_string());
        }
        Ok(())
    }

    /// Writes it after each epoch, and once a minute.
    fn keep_if_due(&mut self, summary: &RunSummary, epoch: u32) -> Result<(), CliError> {
        if epoch != self.epoch || self.last.elapsed() >= KEEP_AFTER {
            self.epoch = epoch;
            self.last = Instant::now();
            self.write(summary)?;
        }
        Ok(())
    }

    fn write(&mut self, summary: &RunSummary) -> Result<(), CliError> {
        if let Some(run) = summary.saved() {
            run_file::write(self.file, &run)?;
            (self.unkept, self.kept) = (false, true);
        }
        Ok(())
    }
}
