//! Training on several devices at once, by Burn's own strategy for them: each device computes a part of every batch, and the first device
//! adds up what they found and updates the weights.
//!
//! Burn adds the gradients of the parts up. That gives the gradient of the whole batch, because a part's changes are its share of the
//! batch's mean ([`Pass`]). So a run on several devices is the run that one device alone would have, but for rounding.

use std::{
    collections::BTreeMap,
    env,
    fmt::{self, Debug, Formatter},
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use burn::{
    backend::ExecutionError,
    data::{
        dataloader::{DataLoaderBuilder, batcher::Batcher},
        dataset::InMemDataset,
    },
    module::{Module, Param},
    optim::{GradientsParams, ModuleOptimizer, SgdConfig, lr_scheduler::module_lr_scheduler::ModuleLearningRate},
    tensor::{Device, Tensor},
    train::{
        ExecutionStrategy, InferenceStep, ItemLazy, Learner, MultiDeviceOptim, SupervisedTraining, TrainOutput,
        TrainStep,
        logger::{EvaluationProgressLogger, MetricLogger, TrainingProgressLogger},
        metric::{
            MetricDefinition, NumericEntry,
            store::{EpochSummary, MetricsUpdate, Split},
        },
        renderer::{EvaluationName, MetricState, MetricsRenderer, MetricsRendererEvaluation, MetricsRendererTraining},
    },
};
use inkling_core::{augment::Augmentation, data::SharedDataset, metrics::Parts};

use crate::{
    feed::{Feed, assemble},
    model::Model,
    pass::{Pass, Recipe, Shard},
    read::{ReadError, StepMetrics},
    trainer::Trainer,
};

/// Steps that Burn runs in one go. In between, commands take effect.
const STEPS: usize = 32;

/// The devices, of which the first one keeps the weights.
#[derive(Clone, Debug)]
pub struct Devices(Vec<Device>);

/// What the steps of one go have in common.
struct Go {
    recipe: Arc<Recipe>,
    trainer: Mutex<Trainer>,
    data: SharedDataset,
    augmentation: Option<(Augmentation, u32)>,
    /// What each part of each step found.
    metrics: Mutex<BTreeMap<u32, Vec<Tensor<1>>>>,
}

/// A device's part of a step.
#[derive(Clone, Debug)]
struct Work {
    shard: Shard,
    /// Numbers of its images.
    numbers: Vec<u32>,
}

/// The weights, which Burn brings to each device.
#[derive(Module, Debug)]
struct Weights {
    flat: Param<Tensor<1>>,
    #[module(skip)]
    go: Shared,
}

#[derive(Clone)]
struct Shared(Arc<Go>);

impl Debug for Shared {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("Shared")
    }
}

impl Devices {
    /// Several devices; `None` if the list is empty.
    pub fn new(devices: Vec<Device>) -> Option<Self> {
        (!devices.is_empty()).then_some(Devices(devices))
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// Trains on the images of `data` with these numbers, `size` to a step, for at most [`STEPS`] steps. Returns the metrics of each step
    /// and its number of images.
    ///
    /// # Errors
    /// [`ReadError`] if a device fails. The trainer is then as it was before the step that failed.
    pub fn train(
        &self,
        trainer: &mut Trainer,
        data: &SharedDataset,
        numbers: &[u32],
        augmentation: Option<(Augmentation, u32)>,
        size: usize,
    ) -> Result<Vec<(StepMetrics, usize)>, ReadError> {
        let batches: Vec<&[u32]> = numbers.chunks(size).take(STEPS).collect();
        let work = self.divided(&batches, trainer.steps_done());
        let recipe = trainer.recipe().clone();
        let stand_in = Trainer::new(Recipe::clone(&recipe), &trainer.device().clone().inner());
        let go = Arc::new(Go {
            recipe,
            trainer: Mutex::new(mem::replace(trainer, stand_in)),
            data: data.clone(),
            augmentation,
            metrics: Mutex::default(),
        });
        let flat = lock(&go.trainer).model().weights();
        let model = Weights { flat: Param::from_tensor(Tensor::from_inner(flat)), go: Shared(go.clone()) };
        let none = DataLoaderBuilder::new(AsItIs).batch_size(1).build(InMemDataset::new(Vec::new()));
        let all = DataLoaderBuilder::new(AsItIs).batch_size(1).build(InMemDataset::new(work));
        let devices = self.0.iter().map(|device| device.clone().autodiff()).collect();
        let strategy = ExecutionStrategy::multi(devices, MultiDeviceOptim::OptimMainDevice);
        // The optimizer is the trainer's, so Burn's has nothing to do.
        let learner = Learner::new(model, SgdConfig::new().init(), 0.0);
        let result = SupervisedTraining::new(env::temp_dir(), all, none)
            .with_application_logger(None)
            .with_metric_logger(Silent)
            .renderer(Box::new(Silent))
            .with_training_strategy(strategy.into())
            .launch(learner);
        mem::swap(trainer, &mut lock(&go.trainer));
        if let Some(error) = result.error {
            return Err(ReadError::new("gradients", error));
        }
        let found = mem::take(&mut *lock(&go.metrics));
        let main = trainer.device().clone().inner();
        let sum =
            |parts: Vec<Tensor<1>>| parts.into_iter().map(|part| part.to_device(&main)).reduce(|sum, part| sum + part);
        let sums = found.into_values().filter_map(sum).map(StepMetrics);
        Ok(sums.zip(batches.into_iter().map(<[u32]>::len)).collect())
    }

    /// The parts of all steps, from step `first` on. Burn gives each device an equal piece of the list.
    fn divided(&self, batches: &[&[u32]], first: u32) -> Vec<Work> {
        let part = |device: usize| {
            batches.iter().zip(first..).map(move |(batch, step)| {
                let at = |device: usize| batch.len() * device / self.count();
                let shard = Shard { step, first: at(device), of: batch.len() };
                Work { shard, numbers: batch[at(device)..at(device + 1)].to_vec() }
            })
        };
        (0..self.count()).flat_map(part).collect()
    }
}

impl TrainStep for Weights {
    type Input = (Work, Device);
    type Output = Nothing;

    fn step(&self, (work, device): Self::Input) -> TrainOutput<Nothing> {
        let Work { shard, numbers } = work;
        let go = &self.go.0;
        let recipe = &go.recipe;
        let weights = self.flat.val().inner();
        let (changes, metrics) = if numbers.is_empty() {
            (weights.zeros_like(), Tensor::zeros([2], &weights.device()))
        } else {
            let mut parts = Parts::default();
            let model = Model::with_weights(&recipe.net, weights, recipe.kernels);
            let batch = assemble(go.data.train.pick(&numbers), go.augmentation, recipe.seed, &mut parts);
            let pass = Pass::new(&model, Feed::upload(batch, &device), shard, recipe, &mut parts);
            (Tensor::cat(pass.changes, 0), pass.metrics.0)
        };
        lock(&go.metrics).entry(shard.step).or_default().push(metrics);
        let mut grads = GradientsParams::new();
        grads.register(self.flat.id, changes);
        TrainOutput { grads, item: Nothing }
    }

    fn optimize(self, _: &mut ModuleOptimizer, _: ModuleLearningRate, mut grads: GradientsParams) -> Self {
        let Some(changes) = grads.remove::<1>(self.flat.id) else { return self };
        let mut trainer = lock(&self.go.0.trainer);
        trainer.update(changes);
        let flat = Tensor::from_inner(trainer.model().weights());
        drop(trainer);
        Weights { flat: Param::initialized(self.flat.id, flat), go: self.go }
    }
}

/// There is nothing to validate: the session does that.
impl InferenceStep for Weights {
    type Input = (Work, Device);
    type Output = Nothing;

    fn step(&self, _: Self::Input) -> Nothing {
        Nothing
    }
}

/// Passes each part of a step on.
#[derive(Clone)]
struct AsItIs;

impl Batcher<Work, (Work, Device)> for AsItIs {
    fn batch(&self, items: Vec<Work>, device: &Device) -> (Work, Device) {
        let nothing = Work { shard: Shard { step: 0, first: 0, of: 0 }, numbers: Vec::new() };
        (items.into_iter().next().unwrap_or(nothing), device.clone())
    }
}

/// What Burn's metrics get to see: the session has its own.
#[derive(Clone, Copy)]
struct Nothing;

impl ItemLazy for Nothing {
    fn sync(self) -> Result<Self, ExecutionError> {
        Ok(self)
    }
}

/// Shows and keeps nothing.
struct Silent;

impl MetricsRendererTraining for Silent {
    fn update_train(&mut self, _: MetricState) {}
    fn update_valid(&mut self, _: MetricState) {}
}
impl MetricsRendererEvaluation for Silent {
    fn update_test(&mut self, _: EvaluationName, _: MetricState) {}
}
impl MetricsRenderer for Silent {
    fn manual_close(&mut self) {}
    fn register_metric(&mut self, _: MetricDefinition) {}
}
impl TrainingProgressLogger for Silent {
    fn start(&mut self, _: usize, _: usize, _: Option<usize>, _: Option<&str>) {}
    fn update_epoch(&mut self, _: usize) {}
    fn start_split(&mut self, _: &str, _: usize) {}
    fn update_split(&mut self, _: usize) {}
    fn end_split(&mut self) {}
    fn end(&mut self) {}
    fn log_event_training(&mut self, _: String) {}
}
impl EvaluationProgressLogger for Silent {
    fn start_global_progress(&mut self, _: usize) {}
    fn start_test(&mut self, _: &str, _: usize) {}
    fn update_test_progress(&mut self, _: usize) {}
    fn end_test(&mut self) {}
    fn end_global_progress(&mut self) {}
    fn log_event_evaluation(&mut self, _: String) {}
}
impl MetricLogger for Silent {
    fn log(&mut self, _: MetricsUpdate, _: usize, _: &Split) {}
    fn read_numeric(&mut self, _: &str, _: usize, _: &Split) -> Result<Vec<NumericEntry>, String> {
        Ok(Vec::new())
    }
    fn log_metric_definition(&mut self, _: MetricDefinition) {}
    fn log_epoch_summary(&mut self, _: EpochSummary) {}
}

/// A thread that panicked has left nothing half done: both are changed in one step.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
