//! The optimizer of a whole network, with a state that can be read and restored.
//!
//! Burn's `ModuleOptimizer` exposes its state only through blocking reads, which a browser forbids on a GPU. This module keeps the
//! state itself, so that it can be read along with the weights. It works on all weights at once, as one flat tensor: a GPU then needs
//! a few kernels for a step, and not a few for each parameter. Adam and AdamW are Burn's, or the fused one; the others are a line or
//! two each, because Burn hides their state.

use burn::{
    optim::{Adam, AdamConfig, AdamState, AdaptiveMomentumState, Optimizer},
    tensor::{Bool, Device, Tensor, TensorData},
};

use inkling_core::{
    network::Network,
    parameters::Follows,
    settings::{Kernels, Method, OptimizerName},
};
use inkling_kernels::adam::{EPSILON, FusedAdam};

/// Share of the speed that momentum keeps.
const MOMENTUM: f32 = 0.9;
/// Share of the mean square that RMSprop keeps, as in Keras.
const RHO: f32 = 0.9;
/// Share of the way to a batch's mean or variance that the running one goes, as in PyTorch.
const NORM_SHARE: f32 = 0.1;

/// The optimizer of a network.
pub struct NetworkOptimizer {
    adam: Engine,
    method: Method,
    /// Number of steps done.
    steps: usize,
    /// What is kept for each weight, `[count]` each: as many as the optimizer has [slots](OptimizerName::slots); empty before the
    /// first step.
    slots: Vec<Tensor<1>>,
    /// Which weights are statistics of batch norm, `[count]`; `None` if the network has no batch norm.
    statistics: Option<Tensor<1, Bool>>,
}

enum Engine {
    /// One pass, for tensors in CPU memory.
    Fused(FusedAdam),
    Composed(Adam),
}

impl NetworkOptimizer {
    /// An optimizer for `net` without a state, for tensors on `device` (without autodiff).
    pub fn new(net: &Network, method: Method, kernels: Kernels, device: &Device) -> Self {
        let adam = match kernels {
            Kernels::Fused if *device == Device::flex() => Engine::Fused(FusedAdam),
            _ => Engine::Composed(AdamConfig::new().with_epsilon(EPSILON).build()),
        };
        let parameters = net.parameters().iter();
        let flags: Vec<bool> =
            parameters.flat_map(|known| vec![known.follows == Follows::Batches; known.len()]).collect();
        let statistics = flags.contains(&true).then(|| {
            let len = flags.len();
            Tensor::from_data(TensorData::new(flags, [len]), device)
        });
        NetworkOptimizer { adam, method, steps: 0, slots: Vec::new(), statistics }
    }

    /// Restores the state after `steps` steps from the values of [`NetworkOptimizer::state`].
    pub fn restore(&mut self, steps: u32, slots: Vec<Tensor<1>>) {
        (self.steps, self.slots) = (steps as usize, slots);
    }

    /// What is kept for the weights, `[count]` each; empty before the first step.
    pub fn state(&self) -> &[Tensor<1>] {
        &self.slots
    }

    /// The weights `[count]` after one step with their [changes](crate::model::Model::changes), one after another.
    pub fn step(&mut self, rate: f64, weights: Tensor<1>, changes: Tensor<1>) -> Tensor<1> {
        let running = self.statistics.clone().map(|which| (which, weights.clone() - changes.clone() * NORM_SHARE));
        let gradient = self.clipped(self.without_statistics(changes));
        let weights = self.update(rate, weights, gradient);
        self.steps += 1;
        match running {
            Some((which, running)) => weights.mask_where(which, running),
            None => weights,
        }
    }

    /// Zero for the statistics of batch norm: the optimizer keeps nothing for them.
    fn without_statistics(&self, changes: Tensor<1>) -> Tensor<1> {
        match &self.statistics {
            Some(which) => changes.mask_fill(which.clone(), 0.0),
            None => changes,
        }
    }

    /// The gradient, shortened if its norm is above the limit.
    fn clipped(&self, gradient: Tensor<1>) -> Tensor<1> {
        if self.method.clip == 0.0 {
            return gradient;
        }
        let norm = gradient.clone().square().sum().sqrt(); // [1]
        let factor = (norm + 1e-6).recip().mul_scalar(self.method.clip).clamp_max(1.0);
        gradient * factor
    }

    /// The weights after a step, but for the statistics.
    fn update(&mut self, rate: f64, weights: Tensor<1>, gradient: Tensor<1>) -> Tensor<1> {
        let Method { optimizer, decay, .. } = self.method;
        let (weights, gradient) = match (optimizer, decay > 0.0) {
            (_, false) => (weights, gradient),
            (OptimizerName::Adamw, true) => (weights * (1.0 - rate * decay), gradient),
            (_, true) => {
                let gradient = self.without_statistics(gradient + weights.clone() * decay);
                (weights, gradient)
            }
        };
        let mut slots = std::mem::take(&mut self.slots).into_iter();
        let (weights, kept) = match optimizer {
            OptimizerName::Adam | OptimizerName::Adamw => {
                let moments = slots.next().zip(slots.next());
                let state =
                    moments.map(|(mean, square)| AdamState::new(AdaptiveMomentumState::new(self.steps, mean, square)));
                let (weights, state) = match &self.adam {
                    Engine::Fused(adam) => adam.step(rate, weights, gradient, state),
                    Engine::Composed(adam) => adam.step(rate, weights, gradient, state),
                };
                let kept = state.map(|state| vec![state.momentum.moment_1, state.momentum.moment_2]);
                (weights, kept.unwrap_or_default())
            }
            OptimizerName::Sgd => (weights - gradient * rate, Vec::new()),
            OptimizerName::Momentum | OptimizerName::Nesterov => {
                let speed = match slots.next() {
                    Some(speed) => speed * MOMENTUM + gradient.clone(),
                    None => gradient.clone(),
                };
                let ahead = optimizer == OptimizerName::Nesterov;
                let step = if ahead { gradient + speed.clone() * MOMENTUM } else { speed.clone() };
                (weights - step * rate, vec![speed])
            }
            OptimizerName::Rmsprop => {
                let square = gradient.clone().square() * (1.0 - RHO);
                let square = slots.next().map_or(square.clone(), |kept| kept * RHO + square);
                (weights - gradient * rate / (square.clone().sqrt() + EPSILON), vec![square])
            }
        };
        self.slots = kept;
        weights
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{feed::upload, model::Model, pass::cross_entropy};
    use burn::{
        module::{Module, ModuleVisitor, Param},
        optim::{AdamWConfig, GradientsParams, ModuleOptimizer, SgdConfig, momentum::MomentumConfig},
    };
    use inkling_core::{
        data::{Batch, synthetic},
        parameters::random_weights,
    };

    const RATE: f64 = 0.02;

    fn net() -> Network {
        "conv 2, pool, dense 5 tanh".parse().unwrap()
    }

    fn model() -> Model {
        let net = net();
        Model::new(&net, random_weights(net.parameters(), 3), Kernels::Fused, &Device::flex().autodiff())
    }

    fn loss(model: &Model, step: usize) -> Tensor<1> {
        let digits = synthetic::digits(60, 2).train;
        let (images, labels) = upload(Batch::plain(&digits, 6 * step..6 * step + 6), &Device::flex().autodiff());
        cross_entropy(model.forward(images), labels)
    }

    fn values(tensor: Tensor<1>) -> Vec<f32> {
        tensor.into_data().try_into_vec().unwrap()
    }

    /// The weights after ten steps of ours.
    fn ours(method: Method, kernels: Kernels) -> Vec<f32> {
        let (mut model, mut optimizer) = (model(), NetworkOptimizer::new(&net(), method, kernels, &Device::flex()));
        for step in 0..10 {
            let gradients = loss(&model, step).backward();
            let changes = Tensor::cat(model.changes(gradients, vec![], 1.0), 0);
            model = Model::with_weights(&net(), optimizer.step(RATE, model.weights(), changes), kernels);
        }
        assert_eq!(optimizer.state().len(), method.optimizer.slots());
        values(model.weights())
    }

    fn burns(mut optimizer: ModuleOptimizer) -> Vec<f32> {
        let mut model = model();
        for step in 0..10 {
            let gradients = GradientsParams::from_grads(loss(&model, step).backward(), &model);
            model = optimizer.step(RATE, model, gradients);
        }
        values(Tensor::cat(parameters(&model), 0))
    }

    /// Burn changes the parameters, but not the flat tensor that they come from.
    fn parameters(model: &Model) -> Vec<Tensor<1>> {
        struct Values(Vec<Tensor<1>>);
        impl ModuleVisitor for Values {
            fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
                self.0.push(param.val().inner().flatten(0, D - 1));
            }
        }
        let mut values = Values(Vec::new());
        model.visit(&mut values);
        values.0
    }

    fn assert_same(what: &str, a: &[f32], b: &[f32]) {
        let worst = a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(a.len() == b.len() && worst < 2e-6, "{what} differs by {worst}");
        let moved = a.iter().zip(random_weights(net().parameters(), 3)).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(moved > 0.005, "{what} moves by {moved}");
    }

    #[test]
    fn each_optimizer_moves_the_weights_as_burns_does() {
        let method = |optimizer, decay| Method { optimizer, decay, ..Method::default() };
        let momentum = |nesterov| {
            let config = MomentumConfig::new().with_momentum(0.9).with_dampening(0.0).with_nesterov(nesterov);
            SgdConfig::new().with_momentum(Some(config))
        };
        assert_same("SGD", &ours(method(OptimizerName::Sgd, 0.0), Kernels::Fused), &burns(SgdConfig::new().init()));
        let found = ours(method(OptimizerName::Momentum, 0.0), Kernels::Fused);
        assert_same("momentum", &found, &burns(momentum(false).init()));
        let found = ours(method(OptimizerName::Nesterov, 0.0), Kernels::Fused);
        assert_same("Nesterov", &found, &burns(momentum(true).init()));
        for kernels in [Kernels::Fused, Kernels::Stock] {
            let found = ours(method(OptimizerName::Adam, 0.0), kernels);
            assert_same("Adam", &found, &burns(AdamConfig::new().with_epsilon(EPSILON).init()));
            let found = ours(method(OptimizerName::Adamw, 0.1), kernels);
            let config = AdamWConfig::new().with_epsilon(EPSILON).with_weight_decay(0.1);
            assert_same("AdamW", &found, &burns(config.init()));
        }
    }

    #[test]
    fn rmsprop_and_weight_decay_follow_their_formulas() {
        let mut weights = random_weights(net().parameters(), 3);
        let mut squares = vec![0.0f32; weights.len()];
        let decay = 0.01;
        for step in 0..10 {
            let model = Model::new(&net(), weights.clone(), Kernels::Fused, &Device::flex().autodiff());
            let gradients = loss(&model, step).backward();
            for ((weight, square), gradient) in
                weights.iter_mut().zip(&mut squares).zip(values(Tensor::cat(model.changes(gradients, vec![], 1.0), 0)))
            {
                let gradient = gradient + decay * *weight;
                *square = 0.9 * *square + 0.1 * gradient * gradient;
                *weight -= RATE as f32 * gradient / (square.sqrt() + 1e-7);
            }
        }
        let method = Method { optimizer: OptimizerName::Rmsprop, decay: decay.into(), ..Method::default() };
        let found = ours(method, Kernels::Fused);
        let worst = found.iter().zip(&weights).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(worst < 1e-4, "differs by {worst}");
    }

    #[test]
    fn a_gradient_above_the_limit_is_shortened_and_another_one_stays() {
        let clipped = |clip: f64| {
            let method = Method { clip, ..Method::default() };
            let optimizer = NetworkOptimizer::new(&net(), method, Kernels::Fused, &Device::flex());
            values(optimizer.clipped(Tensor::from_floats([3.0, 0.0, 0.0, 4.0], &Device::flex())))
        };
        assert_eq!(clipped(0.0), [3.0, 0.0, 0.0, 4.0]);
        assert_eq!(clipped(6.0), [3.0, 0.0, 0.0, 4.0]);
        for (found, expected) in clipped(1.0).into_iter().zip([0.6, 0.0, 0.0, 0.8]) {
            assert!((found - expected).abs() < 1e-5, "{found} {expected}");
        }
    }

    #[test]
    fn statistics_follow_the_batches_whatever_the_optimizer_does() {
        let net: Network = "batchnorm, dense 3".parse().unwrap();
        let weights = random_weights(net.parameters(), 3);
        let flat = |values: &[f32]| Tensor::<1>::from_floats(values, &Device::flex());
        let changes: Vec<f32> = (0..weights.len()).map(|at| (at % 5) as f32 - 2.0).collect();
        for optimizer in [OptimizerName::Adam, OptimizerName::Adamw, OptimizerName::Nesterov, OptimizerName::Rmsprop] {
            let method = Method { optimizer, decay: 0.1, clip: 1.0, ..Method::default() };
            let mut optimizer = NetworkOptimizer::new(&net, method, Kernels::Fused, &Device::flex());
            let found = values(optimizer.step(RATE, flat(&weights), flat(&changes)));
            let mut from = 0;
            for parameter in net.parameters() {
                for at in from..from + parameter.len() {
                    let running = weights[at] - 0.1 * changes[at];
                    let is_running = (found[at] - running).abs() < 1e-6;
                    let kept = optimizer.state().iter().all(|slot| values(slot.clone())[at] == 0.0);
                    if parameter.follows == Follows::Batches {
                        assert!(is_running && kept, "{} goes from {} to {}", parameter.name, weights[at], found[at]);
                    }
                }
                from += parameter.len();
            }
            assert!(found.iter().zip(&weights).any(|(a, b)| a != b));
        }
    }
}
