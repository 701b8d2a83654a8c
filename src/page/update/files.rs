//! Files in and out, and the file worker.

use super::Update;
use crate::{
    BUILD,
    page::{
        effect::Effect,
        model::{FileWorker, Model},
        msg::{Chart, FileMsg, FromWorker, Text},
    },
};
use inkling_core::{
    charts::{Curve, Drawing, Metric},
    protocol::{Command, FileEvent, FileTask},
};

impl Update<'_> {
    pub(super) fn file(&mut self, msg: FileMsg) {
        match msg {
            // The session has the weights; the file worker knows the formats.
            FileMsg::SaveWeights(format) => self.send(Command::Export(format)),
            FileMsg::SaveText(text) => self.save_text(text),
            FileMsg::SavePng(chart) => {
                self.effects.push(Effect::DownloadCanvas(format!("inkling-{}.png", chart.key()), chart.key()));
            }
            FileMsg::SaveSvg(chart, scheme) => {
                let (name, drawing) = (format!("inkling-{}.svg", chart.key()), drawing(self.model, chart));
                self.file_task(FileTask::Draw { name, drawing, scheme });
            }
            FileMsg::SaveRun => {
                if let Some(run) = self.model.run.saved() {
                    self.effects.push(Effect::DownloadRun(Box::new(run)));
                }
            }
            FileMsg::OpenWeights(file) => self.file_task(FileTask::Read { file }),
            FileMsg::OpenRun(run) => self.resume_saved(*run),
        }
    }

    fn save_text(&mut self, text: Text) {
        let report = self.model.run.confusion_matrix.map(|matrix| matrix.report());
        let (name, content) = match (text, report) {
            (Text::HistoryJson, _) => {
                return self.effects.push(Effect::DownloadHistory(self.model.run.history.clone()));
            }
            (Text::HistoryCsv, _) => ("inkling-history.csv", self.model.run.history_csv()),
            (Text::Report, Some(report)) => ("inkling-report.txt", report.text()),
            (Text::ReportMarkdown, Some(report)) => ("inkling-report.md", report.markdown()),
            (Text::Report | Text::ReportMarkdown, None) => return,
        };
        self.effects.push(Effect::Download(name.into(), content.into_bytes()));
    }

    /// Gives the file worker a task, and starts the worker if it is not running.
    pub(super) fn file_task(&mut self, task: FileTask) {
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

    pub(super) fn file_worker(&mut self, heard: FromWorker<FileEvent>) {
        let event = match heard {
            FromWorker::Message(event) => *event,
            FromWorker::Failed(reason) => FileEvent::Unavailable { reason },
        };
        match (event, &mut self.model.file_worker) {
            (_, FileWorker::Absent) | (FileEvent::Fetching { .. }, _) => {}
            (FileEvent::Ready { build }, FileWorker::Starting(waiting)) if build == BUILD => {
                let waiting = std::mem::take(waiting);
                self.model.file_worker = FileWorker::Busy(waiting.len());
                self.effects.extend(waiting.into_iter().map(Effect::SendFileTask));
            }
            (FileEvent::Ready { .. }, _) => {
                self.lose_file_worker("the file worker's version differs from the page's; reload the page");
            }
            (FileEvent::Unavailable { reason }, _) => self.lose_file_worker(reason.trim_end_matches('.')),
            (answer, FileWorker::Starting(_) | FileWorker::Busy(_)) => {
                self.file_task_done();
                match answer {
                    FileEvent::Written { format, step, bytes } => {
                        let name = format!("inkling-step-{step}.{}", format.extension());
                        self.effects.push(Effect::Download(name, bytes));
                    }
                    FileEvent::Opened { weights } => self.import(weights),
                    FileEvent::Drawn { name, svg } => self.effects.push(Effect::Download(name, svg.into_bytes())),
                    FileEvent::Failed(words) => self.warn(words),
                    FileEvent::Fetching { .. } | FileEvent::Ready { .. } | FileEvent::Unavailable { .. } => {}
                }
            }
        }
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
        self.warn(format!("The file could not be saved or opened: {reason}."));
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
        Chart::Matrix => Drawing::Matrix(Box::new(model.run.confusion_matrix.unwrap_or_default())),
    }
}
