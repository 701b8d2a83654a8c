//! Files in and out, and the file worker.

use super::Update;
use crate::{
    BUILD,
    page::{
        effect::Effect,
        model::{FileWorker, Model},
        msg::{Chart, FileMsg, FromWorker, Msg, Text},
    },
};
use inkling_core::{
    charts::{Curve, Drawing, Metric},
    checkpoint::TrainerState,
    metrics::ConfusionMatrix,
    network::Network,
    protocol::{Command, FileEvent, FileTask, Question},
    say,
    settings::DatasetName,
};

/// The longest that the file worker may be silent while it has something to do.
const FILE_PATIENCE_MS: i32 = 60_000;

impl Update<'_> {
    pub(super) fn file(&mut self, msg: FileMsg) {
        match msg {
            // The session has the weights; the file worker knows the formats.
            FileMsg::SaveWeights(format) => {
                let id = self.next_question();
                self.model.export.ask(id);
                self.send(Command::Export(format));
            }
            FileMsg::Share => {
                let id = self.next_question();
                self.model.share.ask(id);
                self.ask(id, Question::Share);
            }
            FileMsg::SaveText(text) => self.save_text(text),
            FileMsg::SavePng(chart) => {
                self.effects.push(Effect::DownloadCanvas(format!("inkling-{}.png", chart.key()), chart.key()));
            }
            FileMsg::SaveSvg(chart, scheme) => {
                let (name, drawing) = (format!("inkling-{}.svg", chart.key()), drawing(self.model, chart));
                self.file_task(FileTask::Draw { name, drawing, scheme });
            }
            FileMsg::SaveCode(language) => {
                if let Some(net) = self.model.run.network() {
                    let settings = self.model.run.settings.clone();
                    self.file_task(FileTask::WriteCode { language, net, settings });
                }
            }
            FileMsg::SaveData => {
                let settings = self.model.run.settings.clone();
                let own = self.model.data.set.clone().filter(|_| settings.dataset == DatasetName::Own);
                self.file_task(FileTask::WriteData { own, settings });
            }
            FileMsg::SaveRun => {
                if let Some(run) = self.model.run.saved() {
                    self.effects.push(Effect::DownloadRun(Box::new(run)));
                }
            }
            FileMsg::OpenWeights(file) => match self.model.network() {
                Ok(net) => self.file_task(FileTask::Read { net: Some(net), file }),
                Err(error) => self.warn(say!("The file was not opened. {}", error)),
            },
            FileMsg::OpenRun(run) => self.resume_saved(*run),
        }
    }

    fn save_text(&mut self, text: Text) {
        let report = self.model.run.confusion_matrix.as_ref().map(|matrix| matrix.report());
        let name = |class| self.model.class(class);
        let (file, content) = match (text, report) {
            (Text::HistoryJson, _) => {
                return self.effects.push(Effect::DownloadHistory(self.model.run.history.clone()));
            }
            (Text::HistoryCsv, _) => ("inkling-history.csv", self.model.run.history_csv()),
            (Text::Report, Some(report)) => ("inkling-report.txt", report.text(name)),
            (Text::ReportMarkdown, Some(report)) => ("inkling-report.md", report.markdown(name)),
            (Text::Report | Text::ReportMarkdown, None) => return,
        };
        self.effects.push(Effect::Download(file.into(), content.into_bytes()));
    }

    /// Gives the file worker a task, and starts the worker if it is not running.
    pub(super) fn file_task(&mut self, task: FileTask) {
        self.watch_file_worker();
        match &mut self.model.file_worker {
            FileWorker::Absent => {
                self.model.file_worker = FileWorker::Starting(vec![task]);
                self.effects.push(Effect::OpenFileWorker);
            }
            FileWorker::Starting(waiting) => waiting.push(task),
            FileWorker::Busy(tasks) => {
                *tasks += 1;
                self.effects.push(Effect::SendFileTask(task));
            }
        }
    }

    /// The file worker is at work: if nothing is heard from it for a while, it hangs.
    fn watch_file_worker(&mut self) {
        self.model.file_activity += 1;
        let due = Msg::FileWorkerDue(self.model.file_activity);
        self.effects.push(Effect::After(FILE_PATIENCE_MS, Box::new(due)));
    }

    pub(super) fn file_worker_due(&mut self, activity: u32) {
        if activity == self.model.file_activity && self.model.file_worker != FileWorker::Absent {
            self.lose_file_worker(say!("the file worker has not answered for a minute; try again"));
        }
    }

    pub(super) fn file_worker(&mut self, heard: FromWorker<FileEvent>) {
        if self.model.file_worker != FileWorker::Absent {
            self.watch_file_worker();
        }
        let event = match heard {
            FromWorker::Message(event) => *event,
            FromWorker::Failed(reason) => FileEvent::Unavailable { reason },
        };
        match (event, &mut self.model.file_worker) {
            (_, FileWorker::Absent) | (FileEvent::Fetching { .. }, _) => {}
            (FileEvent::Reading { done, total }, _) => {
                self.model.data.note = say!("Reading your pictures: {} of {}…", done, total);
            }
            (FileEvent::Ready { build }, FileWorker::Starting(waiting)) if build == BUILD => {
                let waiting = std::mem::take(waiting);
                self.model.file_worker = FileWorker::Busy(waiting.len());
                self.effects.extend(waiting.into_iter().map(Effect::SendFileTask));
            }
            (FileEvent::Ready { .. }, _) => {
                self.lose_file_worker(say!("the file worker's version differs from the page's; reload the page"));
            }
            (FileEvent::Unavailable { reason }, _) => self.lose_file_worker(reason.trim_end_matches('.')),
            (answer, FileWorker::Starting(_) | FileWorker::Busy(_)) => {
                self.file_task_done();
                match answer {
                    FileEvent::Opened { net, weights } => self.opened(&net, weights),
                    FileEvent::Saved { name, bytes } => self.effects.push(Effect::Download(name, bytes)),
                    FileEvent::DataRead { data, note } => self.data_read(data, note),
                    FileEvent::DataRefused(words) => self.data_refused(words),
                    FileEvent::Failed(words) if self.model.data.reading => self.data_refused(words),
                    FileEvent::Failed(words) => self.warn(words),
                    FileEvent::Fetching { .. }
                    | FileEvent::Reading { .. }
                    | FileEvent::Ready { .. }
                    | FileEvent::Unavailable { .. } => {}
                }
            }
        }
    }

    /// Weights from a file. If they are another network's, that one takes the place of the network in the controls.
    fn opened(&mut self, net: &Network, weights: TrainerState) {
        let text = net.to_string();
        let differs = text != self.model.settings.net.to_string();
        if differs {
            if self.model.run.state.is_active() {
                return self
                    .warn(say!("The file was not opened: it has another network, and a run is in progress.").into());
            }
            self.changed("net", &text);
        }
        self.model.network_from_file = differs.then_some(text);
        self.import(weights);
    }

    fn file_task_done(&mut self) {
        if let FileWorker::Busy(tasks) = &mut self.model.file_worker {
            *tasks -= 1;
            if *tasks == 0 {
                self.model.file_worker = FileWorker::Absent;
                self.effects.push(Effect::CloseFileWorker);
            }
        }
    }

    /// Reports that the file worker is lost, and its tasks with it.
    fn lose_file_worker(&mut self, reason: &str) {
        self.model.file_worker = FileWorker::Absent;
        self.effects.push(Effect::CloseFileWorker);
        if self.model.data.reading {
            return self.data_refused(say!("The data set was not read: {}.", reason));
        }
        self.warn(say!("The file could not be saved or opened: {}.", reason));
    }
}

/// A chart as data, which the file worker draws as SVG: in the page, that would be the largest part of the program.
fn drawing(model: &Model, chart: Chart) -> Drawing {
    let owned = |curve: Curve| {
        let Curve { train, validation, resumed, changed, others, epochs, metric } = curve;
        Curve { train: train.into_owned().into(), validation, resumed, changed, others, epochs, metric }
    };
    match chart {
        Chart::Accuracy => Drawing::Curve(owned(model.curve(Metric::Accuracy))),
        Chart::Loss => Drawing::Curve(owned(model.curve(Metric::Loss))),
        Chart::Matrix => {
            let empty = || ConfusionMatrix::new(model.run.data.classes());
            Drawing::Matrix(model.run.confusion_matrix.clone().unwrap_or_else(empty), model.class_names().into_owned())
        }
    }
}
