//! Replicas train as one worker does, and a lost replica changes nothing.
#![allow(clippy::unwrap_used)] // a failed unwrap shows where the test failed
#![cfg(all(not(target_arch = "wasm32"), feature = "ndarray"))]

use burn::tensor::Device;
use inkling_core::{
    augment::Augmentation,
    data::{Labelled, synthetic},
    network::Network,
    settings::{Kernels, Method},
};
use inkling_train::{
    batch,
    evaluated::Evaluated,
    feed::Images,
    pass::Recipe,
    read::read_metrics,
    replicas::{Common, NoReplicas, PendingReply, Replicas, Reply, Task, Team, Threads},
    resident::Resident,
    schedule::Schedule,
    trainer::Trainer,
};
use pollster::block_on;
use std::{thread, time::Duration};

const STEPS: u32 = 200;
const BATCH: usize = 24;
const AUGMENTATION: Augmentation = Augmentation { rotation: 10.0, shift_x: 0.1, shift_y: 0.1, zoom: 0.1 };

/// Loss and accuracy of each step, the evaluation of the test set afterwards, and the reasons why replicas were lost.
type Trained = (Vec<[f64; 2]>, Vec<Evaluated>, Vec<String>);

/// Trains for `steps` steps, then evaluates the test set.
fn train(crew: impl Replicas + 'static, workers: usize, device: &Device, steps: u32, kernels: Kernels) -> Trained {
    train_from(|_| None, crew, workers, device, steps, kernels)
}

/// Like [`train`], with the images where `resident` puts them.
fn train_from(
    resident: impl Fn(&Labelled) -> Option<Resident>,
    crew: impl Replicas + 'static,
    workers: usize,
    device: &Device,
    steps: u32,
    kernels: Kernels,
) -> Trained {
    let digits = synthetic::digits(600, 3);
    let [train_set, test_set] = [&digits.train, &digits.test].map(resident);
    let images = Images { host: &digits.train, resident: train_set.as_ref() };
    let recipe = Recipe {
        seed: 3,
        net: Network::default(),
        schedule: Schedule::new(0.002, steps),
        method: Method::default(),
        kernels,
        class_weights: vec![],
    };
    let mut trainer = Trainer::new(recipe, device);
    let mut team = Team::new(crew);
    team.resize(workers);
    if workers == 0 {
        let first: Vec<u32> = (0..BATCH as u32).collect();
        block_on(team.settle(&mut trainer, &digits.train.pick(&first), Some((AUGMENTATION, 0)))).unwrap();
    } else {
        assert_eq!(team.workers(), workers);
    }
    let (mut metrics, mut losses) = (Vec::new(), Vec::new());
    for step in 0..steps {
        let from = step as usize * BATCH % 576;
        let indices: Vec<u32> = (from as u32..(from + BATCH) as u32).collect();
        let augmentation = Some((AUGMENTATION, step / 24));
        metrics
            .push(block_on(batch::step(&mut trainer, &mut team, images, &indices, augmentation, BATCH + 3)).unwrap());
        losses.extend(team.losses());
    }
    let parts = trainer.parts;
    assert!(
        parts.steps > 0.0 && parts.augment > 0.0 && parts.forward > 0.0 && parts.backward > 0.0 && parts.update > 0.0
    );
    assert_eq!(team.workers() > 1, parts.messages > 0.0);
    let images = Images { host: &digits.test, resident: test_set.as_ref() };
    let model = trainer.model().clone();
    let evaluated =
        block_on(batch::evaluate(&mut trainer, &model, &mut team, images, &Vec::from_iter(0..99), 102)).unwrap();
    losses.extend(team.losses());
    (block_on(read_metrics(metrics)).unwrap(), evaluated, losses)
}

/// The losses differ only because sums run in another order, which 200 steps of Adam amplify: measured here, by at most 0.03
/// for a step and 0.005 on average. A wrong gradient makes a larger difference within ten steps.
fn assert_near(a: &[[f64; 2]], b: &[[f64; 2]]) {
    let differences: Vec<f64> = a.iter().zip(b).map(|(a, b)| (a[0] - b[0]).abs()).collect();
    let worst = differences.iter().copied().fold(0.0, f64::max);
    let mean = differences.iter().sum::<f64>() / differences.len() as f64;
    let early = differences[..10].iter().copied().fold(0.0, f64::max);
    println!("difference of a step's loss: {early:.1e} in the first ten, {mean:.1e} on average, {worst:.1e} at most");
    assert!(early < 1e-4 && mean < 0.01 && worst < 0.1);
    assert!(a[a.len() - 1][0] < 0.5 * a[0][0], "nothing was learned, so the test proves nothing: {:?}", a.last());
}

#[test]
fn replicas_train_as_one_worker_does() {
    let flex = Device::flex();
    let (alone, evaluated_alone, _) = train(NoReplicas, 1, &flex, STEPS, Kernels::Fused);
    for workers in [2, 3] {
        let (together, evaluated, losses) = train(Threads::new(flex.clone()), workers, &flex, STEPS, Kernels::Fused);
        assert_eq!(losses, Vec::<String>::new());
        assert_near(&alone, &together);
        assert_eq!(evaluated.len(), workers);
        let labels: Vec<u8> = evaluated.iter().flat_map(|e| e.labels.clone()).collect();
        assert_eq!(labels, evaluated_alone[0].labels);
        let loss: f64 = evaluated.iter().map(|e| e.loss).sum();
        assert!((loss / evaluated_alone[0].loss - 1.0).abs() < 0.05, "{loss} {}", evaluated_alone[0].loss);
    }
}

#[test]
fn the_fused_block_trains_as_the_composed_operations_do() {
    let flex = Device::flex();
    let (fused, ..) = train(NoReplicas, 1, &flex, STEPS, Kernels::Fused);
    let (composed, ..) = train(NoReplicas, 1, &flex, STEPS, Kernels::Stock);
    assert_near(&fused, &composed);
}

/// As on a GPU: the device holds the images, augments them and fills the batches.
#[test]
fn resident_images_train_as_uploaded_ones_do() {
    let flex = Device::flex();
    let place = |images: &Labelled| Resident::new(images, &Device::flex());
    let (uploaded, ..) = train(NoReplicas, 1, &flex, STEPS, Kernels::Fused);
    let (resident, ..) = train_from(place, NoReplicas, 1, &flex, STEPS, Kernels::Fused);
    assert_near(&uploaded, &resident);
    let (_, uploaded, _) = train(NoReplicas, 1, &flex, 5, Kernels::Fused);
    let (_, resident, _) = train_from(place, NoReplicas, 1, &flex, 5, Kernels::Fused);
    assert_eq!(uploaded[0].labels, resident[0].labels);
    assert!((uploaded[0].loss / resident[0].loss - 1.0).abs() < 1e-4, "{} {}", uploaded[0].loss, resident[0].loss);
}

/// A machine that has fewer cores than it says: all replicas but the first are slow.
struct Crowded(Threads);

impl Replicas for Crowded {
    fn max_workers(&self) -> usize {
        self.0.max_workers()
    }
    fn resize(&mut self, replicas: usize) {
        self.0.resize(replicas);
    }
    fn len(&self) -> usize {
        self.0.len()
    }
    fn publish(&mut self, common: Common) {
        self.0.publish(common);
    }
    fn send(&mut self, replica: usize, task: Task) -> bool {
        self.0.send(replica, task)
    }
    fn receive<'a>(&'a mut self, replica: usize, own: f64, waited: f64, sum: &'a mut [f32]) -> PendingReply<'a> {
        if replica > 0 {
            thread::sleep(Duration::from_millis(50));
        }
        self.0.receive(replica, own, waited, sum)
    }
}

#[test]
fn the_number_of_workers_is_found_by_measuring_and_the_run_is_the_one_with_that_number() {
    let flex = Device::flex();
    let found = train(Crowded(Threads::with_most(flex.clone(), 4)), 0, &flex, 20, Kernels::Fused);
    let workers = found.1.len();
    assert!(workers <= 2, "{workers} workers, of which two are slow");
    assert_eq!(found, train(Threads::new(flex.clone()), workers, &flex, 20, Kernels::Fused));
}

#[test]
fn replicas_that_are_lost_while_the_number_is_measured_change_no_bit() {
    let flex = Device::flex();
    let flaky = Flaky { threads: Threads::with_most(flex.clone(), 3), tasks: 0 };
    let (lost, evaluated, _) = train(flaky, 0, &flex, 20, Kernels::Fused);
    assert_eq!(lost, train(Threads::new(flex.clone()), evaluated.len(), &flex, 20, Kernels::Fused).0);
}

/// Threads that refuse some tasks and lose some replies.
struct Flaky {
    threads: Threads,
    tasks: u32,
}

impl Replicas for Flaky {
    fn max_workers(&self) -> usize {
        self.threads.max_workers()
    }
    fn resize(&mut self, replicas: usize) {
        self.threads.resize(replicas);
    }
    fn len(&self) -> usize {
        self.threads.len()
    }
    fn publish(&mut self, common: Common) {
        self.threads.publish(common);
    }
    fn send(&mut self, replica: usize, task: Task) -> bool {
        self.tasks += 1;
        self.tasks % 7 != 3 && self.threads.send(replica, task)
    }
    fn receive<'a>(&'a mut self, replica: usize, own: f64, waited: f64, sum: &'a mut [f32]) -> PendingReply<'a> {
        if self.tasks.is_multiple_of(5) {
            let mut nowhere = vec![0.0; sum.len()];
            let lost: Result<Reply, String> =
                block_on(self.threads.receive(replica, own, waited, &mut nowhere)).and(Err("killed".into()));
            return Box::pin(std::future::ready(lost));
        }
        self.threads.receive(replica, own, waited, sum)
    }
}

#[test]
fn a_lost_replica_changes_nothing_and_is_reported() {
    let flex = Device::flex();
    let (kept, evaluated, _) = train(Threads::new(flex.clone()), 3, &flex, 20, Kernels::Fused);
    let (again, ..) = train(Threads::new(flex.clone()), 3, &flex, 20, Kernels::Fused);
    assert_eq!(kept, again, "seed and number of replicas reproduce a run");
    let flaky = Flaky { threads: Threads::new(flex.clone()), tasks: 0 };
    let (lost, evaluated_lost, losses) = train(flaky, 3, &flex, 20, Kernels::Fused);
    assert_eq!(kept, lost);
    assert_eq!(evaluated, evaluated_lost);
    assert!(
        losses.len() == 1 && losses[0].contains("(killed)"),
        "many losses that are mended are told once: {losses:?}"
    );
}
