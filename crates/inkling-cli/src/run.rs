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
    protocol::{BackendInfo, Command, Envelope, Event},
    settings::{BackendChoice, DatasetName},
    summary::RunSummary,
};
use inkling_train::{device::Backend, session::Session};
use pollster::block_on;

use crate::{
    backend, cli, data,
    error::{CliError, INTERRUPTED},
    exact::obstacle,
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
    /// A session on `backend`, with the images that the options name and room for at least `workers`.
    pub fn new(backend: Backend, workers: usize, matches: &ArgMatches) -> Result<Self, CliError> {
        let heard: Rc<RefCell<VecDeque<Envelope>>> = Rc::default();
        let sink = heard.clone();
        let info = backend.info.clone();
        let session = backend::session(backend, workers, move |envelope| sink.borrow_mut().push_back(envelope));
        let mnist = matches.get_one::<PathBuf>("mnist").cloned().unwrap_or_default();
        let mut driver = Driver { session, info, heard, mnist, without_mnist: None };
        if let Some((images, note)) = data::own(matches)? {
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
    let mut settings = cli::settings(matches)?;
    if matches.contains_id("data") {
        settings.dataset = DatasetName::Own;
    }
    let file = matches.get_one::<PathBuf>("output").cloned().unwrap_or_default();
    run_file::check_absent(&file, matches.get_flag("force"))?;
    let driver = Driver::new(backend::open(settings.backend)?, 1, matches)?;
    let summary = RunSummary::new(RUN, settings.clone(), driver.info.clone(), None);
    finish(driver, summary, Command::start(RUN, settings), &file, &reporter(matches))
}

/// Goes on with a run.
pub fn resume(matches: &ArgMatches) -> Result<ExitCode, CliError> {
    let from = matches.get_one::<PathBuf>("file").cloned().unwrap_or_default();
    let mut saved = run_file::read(&from)?;
    let reporter = reporter(matches);
    if saved.is_finished() {
        reporter.warn("This run is finished; `inkling test` scores it.");
        return Ok(ExitCode::SUCCESS);
    }
    let exact = matches.get_flag("exact");
    let backend = backend::open(if exact { BackendChoice::Cpu } else { cli::backend_choice(matches)? })?;
    if exact {
        let net = saved.settings.network(saved.data)?;
        if let Some(reason) = obstacle(&saved.settings, &net, &saved.checkpoint, backend.rounding()) {
            return Err(CliError::Usage(format!("without --exact, the run goes on, but not to the bit: {reason}")));
        }
    } else {
        saved.checkpoint.workers = None; // as many as are fastest here
    }
    let workers = saved.checkpoint.workers.unwrap_or(1) as usize;
    let driver = Driver::new(backend, workers, matches)?;
    let start = Command::Start { run: RUN, settings: saved.settings.clone(), from: Some(saved.checkpoint.clone()) };
    let file = matches.get_one::<PathBuf>("output").cloned().unwrap_or(from);
    let summary = RunSummary::restored(RUN, saved, driver.info.clone());
    finish(driver, summary, start, &file, &reporter)
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
    let mut keeper = Keeper { file, epoch: 0, last: Instant::now() };
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
                Event::Checkpoint(_) if interrupted => {
                    keeper.keep(&summary)?;
                    reporter.saved(&file.display().to_string());
                    return Ok(ExitCode::from(INTERRUPTED));
                }
                Event::Checkpoint(checkpoint) => keeper.keep_if_due(&summary, checkpoint.epoch)?,
                _ => {}
            }
        }
    }
    if keeper.keep(&summary)? {
        reporter.saved(&file.display().to_string());
    }
    failure.map_or(Ok(ExitCode::SUCCESS), |reason| Err(driver.failure(reason)))
}

/// Lets the run end at Ctrl-C after the current step; at the second one, at once.
fn watch_for_interrupts() {
    // It fails only if there is a handler already.
    let _ = ctrlc::set_handler(|| {
        if INTERRUPT.swap(true, Ordering::Relaxed) {
            exit(INTERRUPTED.into());
        }
        eprintln!("inkling: stopping after this step; press Ctrl-C again to stop at once");
    });
}

/// Keeps a run in its file.
struct Keeper<'a> {
    file: &'a Path,
    /// Epoch of the checkpoint that was kept last.
    epoch: u32,
    last: Instant,
}

impl Keeper<'_> {
    /// Writes the run if there is something to keep. Returns whether there is.
    fn keep(&mut self, summary: &RunSummary) -> Result<bool, CliError> {
        let Some(run) = summary.saved() else { return Ok(false) };
        run_file::write(self.file, &run)?;
        self.last = Instant::now();
        Ok(true)
    }

    /// Writes it after each epoch, and once a minute.
    fn keep_if_due(&mut self, summary: &RunSummary, epoch: u32) -> Result<(), CliError> {
        if epoch != self.epoch || self.last.elapsed() >= KEEP_AFTER {
            self.epoch = epoch;
            self.keep(summary)?;
        }
        Ok(())
    }
}
